"""The channels of the current tenant: making, changing, testing and deleting one. Secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from alerts.models import Severity
from alerts.sending import kinds, webhook
from alerts.sending.models import Channel, ChannelKind, Delivery, DeliveryState
from core.errors import ServiceError
from core.sealed import seal, unseal

MOST_CHANNELS = 50
ADDRESS, SECRET = "channel address", "channel secret"
CHANGEABLE = frozenset(
    {"name", "address", "least_severity", "escalations_only", "quiet_from", "quiet_until", "enabled"}
)


@dataclass(frozen=True)
class Made:
    """A channel and the secret of a webhook, which is shown this once; empty for other kinds."""

    channel: Channel
    secret: str


def create(
    name: str,
    kind: str,
    address: str,
    *,
    actor: str,
    ip: str | None,
    least_severity: str = Severity.WARNING,
    escalations_only: bool = False,
    quiet_from: time | None = None,
    quiet_until: time | None = None,
) -> Made:
    """CHANNEL_002 with a sentence for what cannot be."""
    if Channel.objects.count() >= MOST_CHANNELS:
        raise ServiceError("CHANNEL_002", f"There are {MOST_CHANNELS} channels already.")
    secret = webhook.new_secret() if kind == ChannelKind.WEBHOOK else ""
    channel = Channel(
        name=name.strip(), kind=kind, least_severity=least_severity, escalations_only=escalations_only,
        quiet_from=quiet_from, quiet_until=quiet_until, created_by=actor, sealed_secret=secret and seal(secret, SECRET),
    )  # fmt: skip
    _store(channel, address)
    audit.record("channel.created", user=actor, ip=ip, channel=channel.name, kind=kind, to=channel.hint)
    return Made(channel, secret)


def _store(channel: Channel, address: str | None) -> None:
    try:
        if address is not None:
            parsed = kinds.parse(channel.kind, address)
            channel.sealed_address, channel.hint = seal(parsed.text, ADDRESS), parsed.hint
        if (channel.quiet_from is None) != (channel.quiet_until is None):
            raise ValidationError("Quiet hours need both a beginning and an end.")
        channel.full_clean(validate_unique=False)
        with transaction.atomic():
            channel.save()
    except ValidationError as error:
        raise ServiceError("CHANNEL_002", " ".join(error.messages)) from None
    except IntegrityError:
        raise ServiceError("CHANNEL_002", "There is a channel of that name already.") from None


def find(public_id: str) -> Channel:
    """CHANNEL_001 when there is none."""
    channel = Channel.objects.filter(public_id=public_id).first()
    if channel is None:
        raise ServiceError("CHANNEL_001", f"There is no channel {public_id[:32]!r} here.")
    return channel


def change(channel: Channel, *, actor: str, ip: str | None, **wanted: Any) -> None:
    """Set those of CHANGEABLE that are given. Pausing drops what waits; a new address is tried at once."""
    unknown = wanted.keys() - CHANGEABLE
    if unknown:
        raise TypeError(f"no fields of a channel: {', '.join(sorted(unknown))}")
    address = wanted.pop("address", None)
    for name, value in wanted.items():
        setattr(channel, name, value)
    if address is not None or wanted.get("enabled"):
        channel.failures, channel.paused_until = 0, None
    with transaction.atomic():
        _store(channel, address)
        if not channel.enabled:
            _drop_waiting(channel)
        told: dict[str, Any] = {name: str(value) for name, value in wanted.items()} | (
            {"to": channel.hint} if address else {}
        )
        audit.record("channel.changed", user=actor, ip=ip, channel=channel.name, **told)


def _drop_waiting(channel: Channel) -> None:
    waiting = Delivery.objects.filter(channel=channel, state=DeliveryState.WAITING)
    waiting.update(state=DeliveryState.SKIPPED, ended_at=timezone.now(), reason="The channel was switched off.")


def new_secret(channel: Channel, *, actor: str, ip: str | None) -> str:
    """For a webhook, in place of the one that it has; shown this once."""
    if channel.kind != ChannelKind.WEBHOOK:
        raise ServiceError("CHANNEL_002", "Only a webhook has a secret.")
    secret = webhook.new_secret()
    channel.sealed_secret = seal(secret, SECRET)
    channel.save(update_fields=["sealed_secret"])
    audit.record("channel.secret", user=actor, ip=ip, channel=channel.name)
    return secret


def delete(channel: Channel, *, actor: str, ip: str | None) -> None:
    with transaction.atomic():
        audit.record("channel.deleted", user=actor, ip=ip, channel=channel.name, kind=channel.kind, to=channel.hint)
        channel.delete()


def address_of(channel: Channel) -> str:
    """To send to: of mail, the people that its groups are at this moment; empty when that is nobody."""
    address = unseal(channel.sealed_address, ADDRESS)
    if channel.kind != ChannelKind.MAIL:
        return address
    return ",".join(dict.fromkeys(_people(address.split(","))))


def _people(parts: Iterable[str]) -> Iterable[str]:
    for part in parts:
        if part in kinds.GROUPS:
            least = kinds.GROUPS[part]
            yield from (user.email for user in User.objects.filter(is_active=True) if user.has_role(least))
        else:
            yield part


def secret_of(channel: Channel) -> str:
    return unseal(channel.sealed_secret, SECRET) if channel.sealed_secret else ""
