"""alerts.rehearsal: the same alerts that the evaluator made of the same data, and how much it reads."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts import evaluation, rehearsal
from alerts.models import Alert, Kind, Rule, Run
from alerts.rehearsal import Rehearsal
from analysis import rollups, rollups_tables
from collectors.models import Collector
from tests.alerts.simulator import DAY, HOUR, MINUTE, MONDAY, Curve, World, between, roll, steady

pytestmark = pytest.mark.usefixtures("inside_alpha")

Spells = list[tuple[str, datetime, datetime | None, datetime | None]]


def at(hours: float) -> datetime:
    return MONDAY + hours * HOUR


def happened(rule: Rule) -> Spells:
    alerts = Alert.objects.ever_fired().filter(rule=rule).select_related("collector")
    return sorted(
        (f"{alert.collector.machine_id if alert.collector else alert.cause}{alert.instance}", alert.since,
         alert.fired_at, alert.resolved_at)
        for alert in alerts
    )  # fmt: skip


def rehearsed(rule: Rule, world: World, days: float = 10) -> Spells:
    found = rehearsal.rehearse(rule, world.now, days=int(days))
    return sorted(
        (f"{place.machine_id or place.cause}{place.instance}", spell.since, spell.fired_at, spell.until)
        for place in found.places
        for spell in place.spells
    )


def wave(minutes: float, middle: float, width: float) -> Curve:
    def curve(moment: datetime) -> float:
        phase = (moment - MONDAY).total_seconds() / 60 / minutes
        return middle + width * math.sin(2 * math.pi * phase) + 7 * math.sin(phase * 17)

    return curve


def test_a_threshold_fires_as_the_evaluator_did_on_waves_gaps_and_several_devices() -> None:
    rules = [
        Rule(name=f"rule {window} {grace}", kind=Kind.THRESHOLD, quantity="filesystems.used_percent", threshold=60,
             clear_threshold=50, window_seconds=window, grace_seconds=grace)
        for window, grace in ((300, 0), (600, 900), (3600, 0))
    ]  # fmt: skip
    world = World.empty(MONDAY, at(20), *rules)
    first = world.add("first", filesystems={
        "/": {"used_percent": wave(150, 50, 20)}, "/srv": {"used_percent": wave(47, 55, 12)},
    })  # fmt: skip
    world.add("second", filesystems={"/": {"used_percent": wave(333, 55, 15)}})
    first.dead = [(at(5), at(7)), (at(9), at(9.3))]
    world.run(at(20))
    for rule in Rule.objects.all():
        assert rehearsed(rule, world) == happened(rule)
        assert happened(rule), rule.name


def test_a_derived_quantity_and_below_fire_as_the_evaluator_did() -> None:
    rule = Rule(name="low", kind=Kind.THRESHOLD, quantity="system.mem_used_percent", comparison="below", threshold=40,
                clear_threshold=45, window_seconds=600)  # fmt: skip
    world = World.empty(MONDAY, at(10), rule)
    world.add("m", system={"mem_used_mb": wave(200, 500, 200), "mem_total_mb": steady(1000)})
    world.run(at(10))
    assert rehearsed(rule, world) == happened(rule)
    assert len(happened(rule)) >= 2


def test_silences_are_replayed_with_their_causes() -> None:
    rule = Rule(name="silent", kind=Kind.NO_DATA, grace_seconds=900)
    world = World.empty(MONDAY, at(7), rule, every=MINUTE, step=5 * MINUTE)
    relay = [world.add(f"pc{number}", address="198.51.100.7") for number in range(3)]
    others = [world.add(f"m{number}", address=f"192.0.2.{number + 9}") for number in range(5)]
    for number, machine in enumerate(relay):
        machine.cut = [(at(0.5), at(1.5) + (2 * HOUR if number == 0 else number * MINUTE))]
    others[0].dead = [(at(1), at(2)), (at(2.5), at(3)), (at(3.1), at(4))]
    for machine in [*others, *relay]:
        machine.dead.append((at(5), at(6)))
    world.run(at(7))
    names = [name for name, *_ in happened(rule)]
    assert {"address:198.51.100.7", "m0", "many", "pc0"} == set(names)
    assert rehearsed(rule, world) == happened(rule)


def growing(start_mb: float, a_day: float) -> Curve:
    return lambda t: start_mb + a_day * ((t - MONDAY) / DAY)


def test_a_forecast_fires_as_the_evaluator_did() -> None:
    rule = Rule(name="full", kind=Kind.FORECAST, quantity="filesystems.days_until_full", threshold=7, clear_threshold=9)
    world = World.empty(MONDAY, at(5 * 24), rule)
    machine = world.add("grows", filesystems={"/": {"used_percent": steady(50)}})
    for mount, a_day in (("/", 4000.0), ("/srv", 200.0)):
        roll(machine, MONDAY - 20 * DAY, at(2 * 24), "filesystems", mount,
             used_mb=growing(60_000, a_day), available_mb=growing(30_000, -a_day))  # fmt: skip
        roll(machine, at(2 * 24), at(5 * 24), "filesystems", mount, used_mb=steady(30_000), available_mb=steady(60_000))
    _hourly(world, at(4 * 24))
    assert rehearsed(rule, world, days=4) == happened(rule)
    assert [name for name, *_ in happened(rule)] == ["grows/"]


def _hourly(world: World, until: datetime) -> None:
    """Only the full hours matter to a forecast."""
    while world.now < until:
        world.now += HOUR
        Run.objects.update(evaluated_at=world.now - MINUTE)
        evaluation.evaluate(world.now)


def test_the_unusual_fires_as_the_evaluator_did() -> None:
    rule = Rule(name="odd", kind=Kind.ANOMALY, quantity="system.cpu_busy_percent", threshold=6, least_deviation=15,
                window_seconds=1800)  # fmt: skip
    world = World.empty(MONDAY, at(12), rule)
    machine = world.add("m", system={
        "cpu_idle": between([(at(3), at(4)), (at(7), at(9))], 20, 80), "cpu_iowait": steady(0),
    })  # fmt: skip
    roll(machine, MONDAY - 43 * DAY, MONDAY, cpu_idle=steady(80), cpu_iowait=steady(0))
    world.run(at(12))
    assert rehearsed(rule, world) == happened(rule)
    assert len(happened(rule)) == 2


def test_events_are_counted_as_the_evaluator_did() -> None:
    rule = Rule(name="boot", kind=Kind.EVENT, quantity="reboot", window_seconds=3600)
    world = World.empty(MONDAY, at(12), rule)
    machine = world.add("m")
    for hours in (1, 1.5, 2, 6, 8):
        world.run(at(hours))
        world.happened(machine, "rebooted", world.now, world.now)
    world.run(at(12))
    assert rehearsed(rule, world) == happened(rule)
    assert len(happened(rule)) == 3


def month(rule: Rule) -> Rehearsal:
    return rehearsal.rehearse(rule, MONDAY)


def test_a_month_without_data_never_fires() -> None:
    Collector.objects.all().delete()
    for kind, quantity in (
        (Kind.THRESHOLD, "system.psi_cpu_some"), (Kind.ANOMALY, "system.cpu_busy_percent"), (Kind.NO_DATA, ""),
        (Kind.FORECAST, "filesystems.days_until_full"), (Kind.EVENT, "reboot"),
    ):  # fmt: skip
        rule = Rule(name="r", kind=kind, quantity=quantity, threshold=5, grace_seconds=900)
        assert (month(rule).count, month(rule).in_scope) == (0, 0)
        Collector.objects.create(machine_id="silent")
        assert (month(rule).count, month(rule).in_scope) == (0, 1)
        Collector.objects.all().delete()


def test_of_many_machines_only_those_are_read_that_can_have_fired() -> None:
    rule = Rule(name="r", kind=Kind.THRESHOLD, quantity="system.psi_cpu_some", threshold=60, window_seconds=600)
    world = World.empty(MONDAY, at(3), rule)
    for number in range(40):
        world.add(f"m{number:02}", system={"psi_cpu_some": steady(90 if number == 7 else 10)})
    world.run(at(3))
    rollups.execute(f"UPDATE {rollups_tables.ROLLED} SET until = %s", [MONDAY])
    rollups.refresh(at(3) + timedelta(minutes=20))
    with CaptureQueriesContext(connection) as queries:
        found = rehearsal.rehearse(rule, world.now, days=2)
    assert (found.count, found.looked_at, found.left_out, found.in_scope) == (1, 1, 0, 40)
    assert len(queries) <= 6
    assert rehearsal.rehearse(rule, world.now, days=2, machine_id="m07").count == 1
    assert rehearsal.rehearse(rule, world.now, days=2, machine_id="m08").count == 0
