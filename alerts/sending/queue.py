"""The deliveries of the current tenant: from the outbox to each channel, claimed by one worker, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts import tenant_settings
from alerts import outbox
from alerts.models import Alert, Message, MessageKind, Severity, State
from alerts.sending import backoff, quiet
from alerts.sending.models import Channel, Delivery, DeliveryState
from alerts.sending.parcels import Outcome

LEASE = timedelta(minutes=5)
GIVE_UP = timedelta(hours=24)
FAILURES_TO_PAUSE = 3
_RANK = {severity: rank for rank, severity in enumerate(Severity.values)}
_NEWS = (MessageKind.FIRING, MessageKind.REPEAT, MessageKind.ESCALATION, MessageKind.SUMMARY)
_FOR_ESCALATION = (MessageKind.ESCALATION, MessageKind.RESOLVED)


def spread(now: datetime) -> int:
    """Give each message of the outbox that is due to the channels that want it; returns how many there were."""
    with transaction.atomic():
        messages = outbox.take(now)
        if messages:
            channels, zone = list(Channel.objects.all()), tenant_settings.zone()
            Delivery.objects.bulk_create(
                _planned(message, channel, zone, now)
                for message in messages
                for channel in channels
                if _wants(channel, message)
            )
    return len(messages)


def _wants(channel: Channel, message: Message) -> bool:
    if not channel.works or _RANK[message.severity] < _RANK[channel.least_severity]:
        return False
    return not channel.escalations_only or message.kind in _FOR_ESCALATION


def _planned(message: Message, channel: Channel, zone: ZoneInfo, now: datetime) -> Delivery:
    until = quiet.ends_at(now, channel.quiet_from, channel.quiet_until, zone)
    if until is None or message.severity == Severity.CRITICAL:
        return Delivery(message=message, channel=channel, due_at=now, created_at=now)
    return Delivery(message=message, channel=channel, due_at=until, held=True, created_at=now)


def due(now: datetime, busy: Iterable[int], limit: int) -> list[Delivery]:
    """Those to try now, oldest first, of channels that are not `busy`.

    Of one alert, a channel hears in order: what was not yet sent, or given up, holds back what comes after it.
    """
    ready = Delivery.objects.filter(
        Q(lease_until__isnull=True) | Q(lease_until__lt=now),
        Q(channel__paused_until__isnull=True) | Q(channel__paused_until__lte=now),
        state=DeliveryState.WAITING, due_at__lte=now, channel__enabled=True,
    ).exclude(channel__in=list(busy))  # fmt: skip
    return list(ready.filter(~Exists(_before())).select_related("message", "channel").order_by("id")[:limit])


def _before() -> QuerySet[Delivery]:
    """Earlier ones to the same channel that still wait and tell of one of the same alerts."""
    same = Alert.messages.through.objects.filter(message=OuterRef(OuterRef("message"))).values("alert")
    return Delivery.objects.filter(
        pk__lt=OuterRef("pk"), channel=OuterRef("channel"), state=DeliveryState.WAITING, message__alerts__in=same
    )


def claim(delivery: Delivery, now: datetime) -> bool:
    """Whether it is the caller's now, for LEASE: nobody claimed, sent or dropped it since it was read."""
    mine = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING, attempts=delivery.attempts)
    if not mine.update(attempts=F("attempts") + 1, lease_until=now + LEASE):
        return False
    delivery.attempts += 1
    return True


def needless(delivery: Delivery) -> str:
    """Why it need not be sent any more; empty when it must be."""
    message = delivery.message
    open_states = set(message.alerts.values_list("state", flat=True))
    if message.kind == MessageKind.RESOLVED and not _was_told(delivery):
        return "This channel was not told that it began."
    if message.kind in (MessageKind.REPEAT, MessageKind.ESCALATION) and State.FIRING not in open_states:
        return "By then it was acknowledged or over."
    if message.kind == MessageKind.FIRING and delivery.held and open_states <= {State.RESOLVED}:
        return "It was over before the quiet hours ended."
    return ""


def _was_told(delivery: Delivery) -> bool:
    same = delivery.message.alerts.values("pk")
    told = Delivery.objects.filter(channel=delivery.channel, state=DeliveryState.SENT, message__kind__in=_NEWS)
    return told.filter(message__alerts__in=same).exists()


def skip(delivery: Delivery, reason: str, now: datetime) -> None:
    _mine(delivery.pk, delivery.attempts).update(
        state=DeliveryState.SKIPPED, reason=reason, ended_at=now, lease_until=None
    )


def give_back(pk: int, attempt: int) -> None:
    """It waits again, and this attempt does not count: nothing was sent."""
    _mine(pk, attempt).update(lease_until=None, attempts=attempt - 1)


def record(pk: int, attempt: int, outcome: Outcome, now: datetime) -> None:
    """Write down what came of an attempt, and how its channel does; nothing if another worker has it by now."""
    with transaction.atomic():
        delivery = _mine(pk, attempt).select_for_update().select_related("channel").first()
        if delivery is None:
            return
        if outcome.sent:
            _sent(delivery, outcome, now)
        else:
            _failed(delivery, outcome, now)


def _mine(pk: int, attempt: int) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk=pk, attempts=attempt, state=DeliveryState.WAITING)


def _sent(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(
        state=DeliveryState.SENT, ended_at=now, lease_until=None, reason=outcome.reason[:300]
    )
    succeeded(delivery.channel, outcome, now)


def _failed(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    """Tried again later, or given up when it is a day old."""
    gives_up = now - delivery.created_at >= GIVE_UP
    Delivery.objects.filter(pk=delivery.pk).update(
        state=DeliveryState.FAILED if gives_up else DeliveryState.WAITING,
        due_at=now + backoff.wait(delivery.attempts, outcome.retry_after),
        ended_at=now if gives_up else None, lease_until=None, reason=outcome.reason[:300],
    )  # fmt: skip
    failed(delivery.channel, outcome, now)


def succeeded(channel: Channel, outcome: Outcome, now: datetime) -> None:
    changes: dict[str, Any] = {"failures": 0, "paused_until": None, "last_sent_at": now}
    if outcome.reason:
        changes |= {"last_failed_at": now, "last_failure": outcome.reason[:300]}
    Channel.objects.filter(pk=channel.pk).update(**changes)


def failed(channel: Channel, outcome: Outcome, now: datetime) -> None:
    """After some failures in a row the whole channel waits: one attempt then tells whether it is back."""
    failures = channel.failures + 1
    pause = now + backoff.wait(failures, outcome.retry_after) if failures >= FAILURES_TO_PAUSE else None
    Channel.objects.filter(pk=channel.pk).update(
        failures=failures, paused_until=pause, last_failed_at=now, last_failure=outcome.reason[:300]
    )
