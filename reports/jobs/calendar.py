"""When a schedule is due and what period it covers, in wall-clock time of one zone; pure arithmetic of dates.

An hour that a clock change leaves out counts as the moment of the change; one that it repeats, as its first.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LONGEST = 62
"""Days within which every schedule is due at least once."""


@dataclass(frozen=True)
class Weekly:
    """weekday: 0 is Monday."""

    weekday: int
    hour: int

    def falls_on(self, day: date) -> bool:
        return day.weekday() == self.weekday

    def period_before(self, day: date) -> tuple[date, date]:
        """The whole week, Monday to Sunday, before the one of that day; the end is left out."""
        monday = day - timedelta(days=day.weekday())
        return monday - timedelta(days=7), monday


@dataclass(frozen=True)
class Monthly:
    """day: 1 to 31; a month that is shorter has it on its last day."""

    day: int
    hour: int

    def falls_on(self, day: date) -> bool:
        return day.day == min(self.day, calendar.monthrange(day.year, day.month)[1])

    def period_before(self, day: date) -> tuple[date, date]:
        """The whole month before the one of that day; the end is left out."""
        first = day.replace(day=1)
        return (first - timedelta(days=1)).replace(day=1), first


Timing = Weekly | Monthly


@dataclass(frozen=True)
class Occurrence:
    """Due at a moment; `start` ≤ samples < `end`. `covers` is the first day of the period: it names the occurrence."""

    due: datetime
    covers: date
    start: datetime
    end: datetime


def latest(timing: Timing, zone: ZoneInfo, now: datetime) -> Occurrence:
    """The newest that is due by now."""
    found = (_occurrence(timing, zone, day) for day in _days(zone, now, -1) if timing.falls_on(day))
    return next(each for each in found if each.due <= now)


def upcoming(timing: Timing, zone: ZoneInfo, now: datetime) -> Occurrence:
    """The next after now."""
    found = (_occurrence(timing, zone, day) for day in _days(zone, now, 1) if timing.falls_on(day))
    return next(each for each in found if each.due > now)


def just_now(timing: Timing, zone: ZoneInfo, now: datetime) -> Occurrence:
    """As if it were due now: the last whole week or month."""
    day = now.astimezone(zone).date()
    covers, end = timing.period_before(day)
    return Occurrence(now, covers, _midnight(covers, zone), _midnight(end, zone))


def _occurrence(timing: Timing, zone: ZoneInfo, day: date) -> Occurrence:
    covers, end = timing.period_before(day)
    due = datetime.combine(day, time(timing.hour), zone).astimezone(UTC)
    return Occurrence(due, covers, _midnight(covers, zone), _midnight(end, zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _days(zone: ZoneInfo, now: datetime, step: int) -> Iterator[date]:
    today = now.astimezone(zone).date()
    return (today + timedelta(days=step * number) for number in range(LONGEST))
