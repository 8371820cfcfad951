"""Sending one parcel by the kind of its channel. A failure's reason repeats nothing of what was sent or answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from alerts.sending import channels, mail, services, webhook
from alerts.sending.models import Channel, ChannelKind
from alerts.sending.parcels import Letter, Outcome, Parcel
from core.sealed import SealBrokenError

logger = logging.getLogger("perfanalysis.sending")

_SENDERS: Mapping[str, Callable[[Parcel], Outcome]] = {
    ChannelKind.MAIL: mail.send,
    ChannelKind.APPRISE: services.send,
    ChannelKind.WEBHOOK: webhook.send,
}


def pack(channel: Channel, letter: Letter, *, delivery: int = 0, attempt: int = 1) -> Parcel | Outcome:
    """The parcel, or why there can be none."""
    try:
        address, secret = channels.address_of(channel), channels.secret_of(channel)
    except SealBrokenError:
        return Outcome(False, "Its address was encrypted under another SECRET_KEY: enter it again.")
    if not address:
        return Outcome(False, "There is nobody to send to.")
    return Parcel(channel.kind, address, letter, secret, delivery, attempt)


def send(parcel: Parcel) -> Outcome:
    """Never raises: one parcel's trouble, whatever it is, must not be that of the others."""
    try:
        return _SENDERS[parcel.kind](parcel)
    except Exception as error:
        # Without the traceback, whose text may hold the address.
        logger.error("sending by %s failed: %s", parcel.kind, type(error).__name__)
        return Outcome(False, f"Sending failed here ({type(error).__name__}); the portal's log has the moment.")
