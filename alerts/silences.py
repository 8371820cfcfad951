"""Silences and maintenance windows: which hold now, for whom, and when the next ones begin.

Recurring windows are counted in wall-clock time: one that begins on Sundays at 02:00 does so all year. Where the
clock is put forward over its beginning, it begins at the instant that would have been.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from alerts.models import Silence
from collectors.models import Collector

LONGEST = timedelta(days=31)
MOST_LOOKED_AT = 1000
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


def problem(silence: Silence) -> tuple[str, str] | None:
    """The first field that makes no sense, and what is wrong with it."""
    if silence.ends_at is not None and silence.ends_at <= silence.starts_at:
        return "ends_at", "A silence ends after it begins."
    if not silence.recurrence:
        return None if silence.ends_at else ("ends_at", "A silence that does not recur has an end.")
    if not silence.minutes or silence.length > LONGEST:
        return "minutes", f"A recurring silence lasts 1 to {int(LONGEST.total_seconds() // 60)} minutes."
    if not any(f"FREQ={name}" in silence.recurrence.upper() for name in _FREQUENCIES):
        return "recurrence", f"It recurs FREQ={', '.join(_FREQUENCIES[:-1])} or {_FREQUENCIES[-1]} (RFC 5545)."
    try:
        next(occurrences(silence, silence.starts_at, silence.starts_at + timedelta(days=1), ZoneInfo("UTC")), None)
    except (ValueError, TypeError) as error:
        return "recurrence", f"This is no recurrence as RFC 5545 has them: {error}."
    return None


def occurrences(
    silence: Silence, start: datetime, end: datetime, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime]]:
    """When it holds, first to last, as far as that touches start ≤ t < end; UTC."""
    if not silence.recurrence:
        if silence.ends_at and silence.starts_at < end and silence.ends_at > start:
            yield silence.starts_at, silence.ends_at
        return
    first = silence.starts_at.astimezone(zone).replace(tzinfo=None)
    rule = rrulestr(silence.recurrence, dtstart=first, ignoretz=True)
    earliest = max(first, (start - silence.length).astimezone(zone).replace(tzinfo=None) - timedelta(hours=2))
    latest = end.astimezone(zone).replace(tzinfo=None) + timedelta(hours=2)
    for local in rule.xafter(earliest, count=MOST_LOOKED_AT, inc=True):
        if local > latest:
            return
        begin = datetime.fromtimestamp(local.replace(tzinfo=zone).timestamp(), start.tzinfo)
        over = min(begin + silence.length, silence.ends_at or begin + silence.length)
        if begin < over and begin < end and over > start:
            yield begin, over


def holds(silence: Silence, now: datetime, zone: ZoneInfo) -> bool:
    return any(True for _ in occurrences(silence, now, now + timedelta(microseconds=1), zone))


def holding(now: datetime, zone: ZoneInfo) -> list[Silence]:
    """Those of the current tenant that hold now. One query."""
    begun = Silence.objects.filter(starts_at__lte=now).exclude(ends_at__lte=now)
    return [silence for silence in begun if holds(silence, now, zone)]


def covers(silence: Silence, rule_id: int | None, machines: Sequence[Collector]) -> bool:
    """Whether it silences an alert of that rule at those machines: all of them must be meant."""
    if silence.rule_id is not None and silence.rule_id != rule_id:
        return False
    if not silence.machine_ids and not silence.tags:
        return True
    return bool(machines) and all(_means(silence, machine) for machine in machines)


def _means(silence: Silence, machine: Collector) -> bool:
    return machine.machine_id in silence.machine_ids or not set(silence.tags).isdisjoint(machine.tags)
