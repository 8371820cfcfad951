"""When a condition becomes an alert and when it is over: pure, one target of one rule, instant after instant.

The evaluator and the rehearsal both take these steps, so that they cannot differ.

A condition that is met opens a pending alert; one that lasts for the grace time fires. A firing alert is over when its
condition has been clear (beyond the clear level, not only back behind the threshold) for the holding time: five
minutes, twice as long for each time that it fired within a day, two hours at most. So something that flaps tells twice
or three times and then stays one open alert until it is quiet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

HOLD, LONGEST_HOLD = timedelta(minutes=5), timedelta(hours=2)
REMEMBERED = timedelta(days=1)


class Verdict(StrEnum):
    """Of one evaluation. BETWEEN: not met, but not beyond the clear level either. UNKNOWN: nothing to judge by."""

    MET = "met"
    BETWEEN = "between"
    CLEAR = "clear"
    UNKNOWN = "unknown"


class Turn(StrEnum):
    """What a step changed. PASSED: a pending alert's condition did not last for the grace time."""

    OPENED = "opened"
    FIRED = "fired"
    RESOLVED = "resolved"
    PASSED = "passed"


@dataclass(frozen=True)
class Levels:
    """Where a condition is met and where it is clear, in the unit of what is judged."""

    is_above: bool
    threshold: float
    clear: float

    def verdict(self, value: float | None) -> Verdict:
        if value is None:
            return Verdict.UNKNOWN
        sign = 1 if self.is_above else -1
        if sign * value >= sign * self.threshold:
            return Verdict.MET
        return Verdict.CLEAR if sign * value < sign * self.clear or self.clear == self.threshold else Verdict.BETWEEN


@dataclass(frozen=True)
class Standing:
    """Of one target. since: None while nothing is open. fired: when it fired within the last day, newest last."""

    since: datetime | None = None
    fired_at: datetime | None = None
    clear_since: datetime | None = None
    fired: tuple[datetime, ...] = ()

    @property
    def is_quiet(self) -> bool:
        return self.since is None

    @property
    def hold(self) -> timedelta:
        """How long it must be clear; `fired` counts this time."""
        doublings: int = 2 ** min(max(len(self.fired), 1) - 1, 10)
        return min(HOLD * doublings, LONGEST_HOLD)


Step = tuple[Standing, list[Turn]]


def step(standing: Standing, at: datetime, verdict: Verdict, grace: timedelta) -> Step:
    """The standing after an evaluation at `at`, and what changed."""
    if verdict == Verdict.UNKNOWN or (standing.is_quiet and verdict != Verdict.MET):
        return standing, []
    if standing.fired_at is not None:
        return _firing(standing, at, verdict)
    if verdict != Verdict.MET:
        return _quiet(standing), [Turn.PASSED]
    turns = [Turn.OPENED] if standing.is_quiet else []
    opened = replace(standing, since=standing.since or at)
    if at - (opened.since or at) < grace:
        return opened, turns
    fired = (*(moment for moment in opened.fired if at - moment < REMEMBERED), at)
    return replace(opened, fired_at=at, fired=fired), [*turns, Turn.FIRED]


def _firing(standing: Standing, at: datetime, verdict: Verdict) -> Step:
    if verdict != Verdict.CLEAR:
        return replace(standing, clear_since=None), []
    clear = replace(standing, clear_since=standing.clear_since or at)
    if at - (clear.clear_since or at) < standing.hold:
        return clear, []
    return _quiet(standing), [Turn.RESOLVED]


def _quiet(standing: Standing) -> Standing:
    return Standing(fired=standing.fired)


@dataclass(frozen=True)
class Spell:
    """One alert: when the condition was met, when it fired, and when it was clear (None: still open)."""

    since: datetime
    fired_at: datetime
    until: datetime | None


def spells(verdicts: Iterable[tuple[datetime, Verdict]], grace: timedelta) -> list[Spell]:
    """Every alert that those evaluations, oldest first, make of one target."""
    standing, found = Standing(), []
    for at, verdict in verdicts:
        before = standing
        standing, turns = step(before, at, verdict, grace)
        if Turn.RESOLVED in turns and before.since and before.fired_at:
            found.append(Spell(before.since, before.fired_at, before.clear_since or at))
    if standing.since and standing.fired_at:
        found.append(Spell(standing.since, standing.fired_at, None))
    return found
