"""How often a rule would have fired: the evaluator's own steps over the history that is stored.

It is what the evaluator would have done with all samples there in time; it needs no saved rule, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from accounts import tenant_settings
from alerts import forecasts, judging, measured, rehearsal_silent, rules
from alerts.judging import Spell, Verdict
from alerts.models import Kind, Rule
from alerts.quantities import EVENTS, QUANTITIES
from alerts.scene import FRESH
from analysis import windows
from analysis.rollups_tables import table
from analysis.series_shapes import query
from analysis.windows import Window
from collectors.models import Collector, MachineEvent

DAYS = 30
MACHINES = 5
"""Looked at, at most, where samples are read; so an answer for all machines takes a second or two."""


@dataclass(frozen=True)
class Place:
    """One machine (device …), or one cause at several; spells: each time that it would have fired, oldest first."""

    machine_id: str
    instance: str
    cause: str
    spells: Sequence[Spell]


@dataclass(frozen=True)
class Rehearsal:
    """start < t ≤ end. looked_at of in_scope machines were evaluated; the others cannot fire, but for left_out."""

    start: datetime
    end: datetime
    places: Sequence[Place]
    in_scope: int
    looked_at: int
    left_out: int

    @property
    def count(self) -> int:
        return sum(len(place.spells) for place in self.places)


def rehearse(rule: Rule, now: datetime, *, days: int = DAYS, machine_id: str = "") -> Rehearsal:
    """The last `days` of one machine, or of all in the rule's scope. The rule makes sense (`rules.complaints`)."""
    machines = list(Collector.objects.filter(active=True).defer("inventory"))
    scoped = [machine for machine in machines if rules.watches(rule, machine)]
    if machine_id:
        scoped = [machine for machine in scoped if machine.machine_id == machine_id]
    empty = Rehearsal(now - timedelta(days=days), now, (), len(scoped), len(scoped), 0)
    if rule.kind == Kind.NO_DATA:
        found = rehearsal_silent.replay(scoped, rules.grace(rule), empty.start, now)
        return replace(empty, places=[Place(*one) for one in found])
    if rule.kind == Kind.EVENT:
        return replace(empty, places=_fired([_events(rule, machine, empty) for machine in scoped]))
    wanted = _candidates(rule, scoped, empty)
    look = wanted[:MACHINES]
    kind = _forecasts if rule.kind == Kind.FORECAST else _windows
    places = _fired([place for machine in look for place in kind(rule, machine, empty)])
    return replace(empty, places=places, looked_at=len(look), left_out=len(wanted) - len(look))


def _fired(places: Sequence[Place]) -> list[Place]:
    return [place for place in places if place.spells]


def _candidates(rule: Rule, scoped: Sequence[Collector], span: Rehearsal) -> list[Collector]:
    """Without those whose hourly extremes never reach the threshold: no average of their samples can."""
    quantity = QUANTITIES.get(rule.quantity)
    if rule.kind != Kind.THRESHOLD or quantity is None or not quantity.rolls_up or len(scoped) <= MACHINES:
        return list(scoped)
    if quantity.sql != f"{{{quantity.columns[0]}}}":
        return list(scoped)
    extreme, than = ("max", ">=") if rules.levels(rule).is_above else ("min", "<=")
    reached = f"""
        SELECT DISTINCT collector_id FROM "{table(quantity.dataset)}"
        WHERE collector_id = ANY(%s) AND hour >= %s AND hour < %s AND "{quantity.columns[0]}_{extreme}" {than} %s
    """  # noqa: S608  # names come from the catalogue
    pks = [machine.pk for machine in scoped]
    found = {pk for (pk,) in query(reached, [pks, span.start - timedelta(days=1), span.end, rule.threshold])}
    return [machine for machine in scoped if machine.pk in found]


def _windows(rule: Rule, machine: Collector, span: Rehearsal) -> Iterator[Place]:
    quantity, zone = QUANTITIES[rule.quantity], tenant_settings.zone()
    ends = list(rules.ticks(span.start, span.end, rules.step(rule)))
    length = rules.window(rule)
    slid = windows.slide(quantity.dataset, quantity.of_sample(), machine.pk, ends, length, FRESH)
    for instance, found in slid.items():
        if rules.matches(rule, instance):
            steps = _steps(rule, list(found), zone)
            yield Place(machine.machine_id, instance, "", judging.spells(steps, rules.grace(rule)))


def _steps(rule: Rule, found: Sequence[Window], zone: ZoneInfo) -> Iterable[tuple[datetime, Verdict]]:
    """Without the evidence of each of forty thousand windows, where it is not needed."""
    if rule.kind == Kind.ANOMALY:
        return ((result.at, result.verdict) for _, result in measured.verdicts(rule, found, 0, zone))
    return zip((window.at for window in found), measured.simple_verdicts(rule, found, 0), strict=True)


def _forecasts(rule: Rule, machine: Collector, span: Rehearsal) -> Iterator[Place]:
    ticks = list(rules.ticks(span.start, span.end, rules.step(rule)))
    for (_, instance), hours in forecasts.history(rule, [machine.pk], ticks[0], ticks[-1]).items():
        if rules.matches(rule, instance):
            steps = ((at, forecasts.verdict(rule, hours, at).verdict) for at in ticks)
            yield Place(machine.machine_id, instance, "", judging.spells(steps, rules.grace(rule)))


def _events(rule: Rule, machine: Collector, span: Rehearsal) -> Place:
    """An event within the window of the one before belongs to the same alert."""
    kinds = EVENTS[rule.quantity].kinds
    told = MachineEvent.objects.filter(
        collector=machine, kind__in=kinds, until__gt=span.start, until__lte=span.end
    ).order_by("until", "id")
    found: list[Spell] = []
    for event in told:
        before = found[-1] if found else None
        if before and before.until and event.until - before.until < rules.window(rule):
            found[-1] = Spell(before.since, before.fired_at, event.until)
        else:
            found.append(Spell(event.since, event.until, event.until))
    return Place(machine.machine_id, "", "", found)
