"""The rehearsal of a rule for missing data: the silences between stored batches, replayed minute by minute.

Only minutes in which something can change are looked at: a machine becomes overdue, or has just been heard again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from alerts import absence, judging, rules
from alerts.absence import Heard, Judged, Open
from alerts.judging import LONGEST_HOLD, Spell, Standing, Turn, Verdict
from analysis.series_shapes import query
from collectors.models import Collector

Told = tuple[str, str, str, list[Spell]]
"""Machine, instance (none), cause, and its spells."""


@dataclass(frozen=True)
class Gap:
    """No batch of the machine came between the two instants."""

    collector_id: int
    start: datetime
    end: datetime


@dataclass
class _Target:
    """One machine or cause while it is replayed."""

    cause: str
    members: tuple[str, ...]
    since: datetime
    standing: Standing = field(default_factory=Standing)
    spells: list[Spell] = field(default_factory=list)


def replay(machines: Sequence[Collector], grace: timedelta, start: datetime, end: datetime) -> list[Told]:
    gaps = _gaps([machine.pk for machine in machines], grace * 2 / 3, start, end)
    replayed = _Replay(machines, grace, gaps)
    for minute in _minutes(gaps, grace, start, end):
        replayed.step(minute)
    return replayed.told()


def _gaps(pks: Sequence[int], least: timedelta, start: datetime, end: datetime) -> list[Gap]:
    """Those that end after `start`, and silences that last still."""
    found = """
        SELECT collector_id, received_at, coalesce(following, %s) FROM (
            SELECT collector_id, received_at, lead(received_at) OVER (PARTITION BY collector_id ORDER BY received_at)
              AS following
            FROM analysis_batch WHERE collector_id = ANY(%s) AND received_at > %s AND received_at <= %s
        ) batches WHERE coalesce(following, %s) - received_at >= %s ORDER BY received_at
    """
    beyond = end + timedelta(days=1)
    rows = query(found, [beyond, list(pks), start - timedelta(days=1), end, beyond, least])
    return [Gap(*row) for row in rows]


def _minutes(gaps: Iterable[Gap], grace: timedelta, start: datetime, end: datetime) -> list[datetime]:
    wanted: set[datetime] = set()
    for gap in gaps:
        if gap.end - gap.start < grace:
            continue
        first = min(max(gap.start + grace - rules.MINUTE, start), end)
        wanted.update(rules.ticks(first, min(first + 2 * rules.MINUTE, end), rules.MINUTE))
        back = max(gap.end - rules.MINUTE, start)
        wanted.update(rules.ticks(back, min(gap.end + LONGEST_HOLD + grace + 5 * rules.MINUTE, end), rules.MINUTE))
    return sorted(wanted)


class _Replay:
    """What `alerts.silent` keeps in the database is kept here."""

    def __init__(self, machines: Sequence[Collector], grace: timedelta, gaps: Sequence[Gap]) -> None:
        self._machines, self._grace = machines, grace
        self._gaps: dict[int, list[Gap]] = {}
        for gap in gaps:
            self._gaps.setdefault(gap.collector_id, []).append(gap)
        self._targets: dict[str, _Target] = {}
        self._released: dict[str, datetime] = {}

    def step(self, now: datetime) -> None:
        open_ = [self._open(target) for target in self._targets.values() if not target.standing.is_quiet]
        alone = {name for one in open_ if not one.cause for name in one.members}
        heard = [self._heard(machine, now, machine.machine_id in alone) for machine in self._machines]
        names = {machine.pk: machine.machine_id for machine in self._machines}
        for judged in absence.judge(now, heard, open_, self._grace):
            self._take(judged, now, judged.cause or f"machine:{names[judged.collector_id or 0]}")

    def _open(self, target: _Target) -> Open:
        return Open(target.cause, target.since, target.members)

    def _heard(self, machine: Collector, now: datetime, is_alone: bool) -> Heard:
        gaps = self._gaps.get(machine.pk, ())
        last = next((gap.start for gap in gaps if gap.start <= now < gap.end), now)
        if not is_alone:
            last = max(last, self._released.get(machine.machine_id, last))
        return Heard(machine.pk, machine.machine_id, machine.ip_address or "", last)

    def _take(self, judged: Judged, now: datetime, key: str) -> None:
        target = self._targets.get(key)
        if target is None:
            if judged.verdict != Verdict.MET:
                return
            target = self._targets[key] = _Target(judged.cause, (), judged.since)
        before = target.standing
        if before.is_quiet:
            target.since = judged.since
        target.members = judged.members or (key.removeprefix("machine:"),)
        target.standing, turns = judging.step(before, now, judged.verdict, timedelta())
        if Turn.RESOLVED in turns and before.fired_at:
            over = before.clear_since or now
            target.spells.append(Spell(target.since, before.fired_at, over))
            if target.cause:
                self._released.update(dict.fromkeys(target.members, over))

    def told(self) -> list[Told]:
        found: list[Told] = []
        for target in self._targets.values():
            still = target.standing.fired_at
            spells = [*target.spells, Spell(target.since, still, None)] if still else target.spells
            if spells:
                found.append(("" if target.cause else target.members[0], "", target.cause, spells))
        return found
