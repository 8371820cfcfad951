"""What an address is for each kind of channel: checked, brought into one form, and what of it anybody may read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.models import Role
from alerts.sending import services
from alerts.sending.models import ChannelKind

MOST_RECIPIENTS = 20
MOST_CHARACTERS = 2000
GROUPS: Mapping[str, Role] = {"@admins": Role.ADMIN, "@analysts": Role.ANALYST, "@everybody": Role.VIEWER}
"""In place of a mail address: all active people of at least that role, whoever they are at that moment."""


@dataclass(frozen=True)
class Address:
    text: str
    hint: str


def parse(kind: str, text: str) -> Address:
    """ValidationError with a sentence that does not repeat the address, which may be a secret."""
    text = text.strip()
    if not text:
        raise ValidationError("An address is needed.")
    if len(text) > MOST_CHARACTERS or not text.isprintable():
        raise ValidationError(f"An address has {MOST_CHARACTERS:,} printable characters at most, in one line.")
    if kind not in _PARSERS:
        raise ValidationError(f"A channel is of kind {', '.join(_PARSERS)}; not of {kind[:16]!r}.")
    return _PARSERS[ChannelKind(kind)](text)


def _mail(text: str) -> Address:
    found = list(dict.fromkeys(part for part in re.split(r"[,;\s]+", text) if part))
    if len(found) > MOST_RECIPIENTS:
        raise ValidationError(f"A channel has {MOST_RECIPIENTS} mail addresses at most.")
    for part in found:
        if part not in GROUPS:
            _check_mail(part)
    joined = ", ".join(found)
    return Address(",".join(found), joined if len(joined) <= 200 else f"{joined[:196]} …")


def _check_mail(address: str) -> None:
    try:
        validate_email(address)
    except ValidationError:
        raise ValidationError(f"Give mail addresses, or {', '.join(GROUPS)}, separated by commas.") from None


def _webhook(text: str) -> Address:
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        host, port, url = None, None, urlsplit("")
    schemes = ("https", "http") if settings.OUTGOING_ALLOW else ("https",)
    if url.scheme not in schemes or not host or port == 0:
        raise ValidationError("The address of a webhook begins with https:// and a host name.")
    shown = f"{host}:{port}" if port else host
    return Address(text, f"{url.scheme}://{shown}/…"[:200])


def _apprise(text: str) -> Address:
    name = services.name_of(text)
    if not name:
        raise ValidationError(
            "apprise does not understand this address, or it is of a service that is not offered here."
        )
    return Address(text, name[:200])


_PARSERS: Mapping[ChannelKind, Callable[[str], Address]] = {
    ChannelKind.MAIL: _mail,
    ChannelKind.WEBHOOK: _webhook,
    ChannelKind.APPRISE: _apprise,
}
