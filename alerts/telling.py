"""What of this run must be told, and when: grouped, repeated, escalated, and summed up where it would be a flood.

Decided from the alerts' state alone (fired, not told, not silenced), so that a run that was lost loses no message.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count

from alerts.book import Book
from alerts.models import Alert, Grouping, Kind, Message, MessageKind, Severity, State, What

GATHERING = timedelta(minutes=5)
"""After a message of a group its next one waits this long for more to say."""
SUMMARY_AFTER = timedelta(minutes=10)
HOUR = timedelta(hours=1)
_RANKS = {severity: rank for rank, severity in enumerate(Severity.values)}


@dataclass(frozen=True)
class Due:
    """Alerts that belong in one message."""

    kind: MessageKind
    group: str
    alerts: Sequence[Alert]


def tell(book: Book) -> int:
    """Put into the outbox what this run found; returns how many messages are new. After `book.write`."""
    _take_back(book)
    due = [*_gathered(MessageKind.FIRING, _untold(book)), *_gathered(MessageKind.RESOLVED, _over(book))]
    due += [*_gathered(MessageKind.ESCALATION, _to_escalate(book)), *_gathered(MessageKind.REPEAT, _to_repeat(book))]
    return sum(_put(one, book.now) for one in due)


def _take_back(book: Book) -> None:
    """What is over before its message left is not told at all."""
    over = [alert for alert in book.closed if alert.told_at]
    if not over:
        return
    waiting = Message.objects.select_for_update().filter(
        taken_at__isnull=True, kind__in=(MessageKind.FIRING, MessageKind.SUMMARY), alerts__in=over
    )
    for message in waiting:
        mine = [alert for alert in over if _is_only_in(alert, message)]
        message.alerts.remove(*mine)
        for alert in mine:
            alert.told_at = None
            book.touch(alert)
    Message.objects.annotate(number=Count("alerts")).filter(taken_at__isnull=True, number=0).delete()


def _is_only_in(alert: Alert, message: Message) -> bool:
    told = set(alert.messages.values_list("pk", flat=True))
    return told == {message.pk}


def _untold(book: Book) -> Iterable[Alert]:
    for alert in book.alerts.values():
        if alert.state == State.FIRING and not alert.told_at and not alert.is_silenced:
            alert.told_at = book.now
            book.touch(alert)
            yield alert


def _over(book: Book) -> Iterable[Alert]:
    """Of an event nobody is told that it is over: it was over at once."""
    for alert in book.closed:
        if alert.told_at and not alert.told_resolved_at and not (alert.rule and alert.rule.kind == Kind.EVENT):
            alert.told_resolved_at = book.now
            book.touch(alert)
            yield alert


def _speaks(book: Book, alert: Alert) -> bool:
    """Told, unacknowledged, not silenced and still true as far as is known."""
    is_true = alert.clear_since is None and book.now - alert.evaluated_at < HOUR
    return alert.state == State.FIRING and alert.told_at is not None and not alert.is_silenced and is_true


def _to_escalate(book: Book) -> Iterable[Alert]:
    for alert in book.alerts.values():
        minutes = alert.rule.escalate_after_minutes if alert.rule else None
        if minutes is None or alert.escalated_at or not alert.told_at or not _speaks(book, alert):
            continue
        if book.now - alert.told_at >= timedelta(minutes=minutes):
            alert.escalated_at = book.now
            book.note(alert, What.ESCALATED, book.now, f"Not acknowledged for {minutes} minutes.")
            yield alert


def _to_repeat(book: Book) -> Iterable[Alert]:
    for alert in book.alerts.values():
        minutes = alert.rule.repeat_minutes if alert.rule else None
        if minutes is None or not _speaks(book, alert):
            continue
        last = max(filter(None, (alert.told_at, alert.repeated_at, alert.escalated_at)))
        if book.now - last >= timedelta(minutes=minutes):
            alert.repeated_at = book.now
            book.touch(alert)
            yield alert


def _gathered(kind: MessageKind, alerts: Iterable[Alert]) -> list[Due]:
    groups: dict[str, list[Alert]] = {}
    for alert in alerts:
        groups.setdefault(_group(alert), []).append(alert)
    return [Due(kind, group, members) for group, members in groups.items()]


def _group(alert: Alert) -> str:
    by_machine = alert.rule is None or alert.rule.group_by == Grouping.MACHINE
    return f"machine:{alert.collector_id}" if by_machine and alert.collector_id else f"rule:{alert.rule_id}"


def _put(due: Due, now: datetime) -> int:
    """Into the message of its kind and group that still waits, else into a new one; 1 where one was made."""
    recent = Message.objects.filter(created_at__gt=now - HOUR)
    if recent.exclude(kind=MessageKind.SUMMARY).count() >= settings.ALERT_MESSAGES_PER_HOUR:
        due = Due(MessageKind.SUMMARY, "summary", due.alerts)
    same = Message.objects.filter(kind=due.kind, group=due.group)
    waiting = same.select_for_update().filter(taken_at__isnull=True, due_at__gt=now).first()
    worst = max((alert.severity for alert in due.alerts), key=lambda severity: _RANKS[severity])
    if waiting:
        waiting.alerts.add(*due.alerts)
        waiting.severity = max(waiting.severity, worst, key=lambda severity: _RANKS[severity])
        waiting.save(update_fields=("severity",))
        return 0
    message = Message.objects.create(
        kind=due.kind, group=due.group, severity=worst, created_at=now, due_at=_due_at(due, same.last(), now)
    )
    message.alerts.add(*due.alerts)
    return 1


def _due_at(due: Due, before: Message | None, now: datetime) -> datetime:
    if due.kind == MessageKind.SUMMARY:
        return now + SUMMARY_AFTER
    return max(now, before.due_at + GATHERING) if before else now
