"""Reboots, clocks, agents and lost samples through the real evaluator: each told once, and never late."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alerts.models import Kind, Rule, State
from alerts.quantities import EVENTS
from collectors.models import Collector, MachineEvent
from tests.alerts.simulator import HOUR, MINUTE, MONDAY, Machine, World, fired, steady

pytestmark = pytest.mark.usefixtures("inside_alpha")


def at(hours: float) -> datetime:
    return MONDAY + hours * HOUR


def rule(event: str, **fields: object) -> Rule:
    return Rule(**{"name": event, "kind": Kind.EVENT, "quantity": event, "window_seconds": 3600, **fields})


def tells(machine: Machine, **inventory: object) -> None:
    Collector.objects.filter(pk=machine.collector.pk).update(inventory=inventory)


def test_a_reboot_is_told_once_by_its_new_boot_id_and_closes_by_itself() -> None:
    world = World.empty(MONDAY, at(6), rule("reboot"))
    machine = world.add("m")
    tells(machine, boot_id="one", boot_time=int(at(-30).timestamp()))
    world.run(at(1))
    tells(machine, boot_id="two", boot_time=int(at(1).timestamp()))
    world.run(at(6))
    assert world.told() == [("firing", ("reboot: m",))]
    (alert,) = fired()
    assert (alert.since, alert.state) == (at(1), State.RESOLVED)
    assert MachineEvent.objects.get().kind == "rebooted"


def test_a_crash_loop_is_one_alert() -> None:
    world = World.empty(MONDAY, at(8), rule("reboot"))
    machine = world.add("m")
    for number in range(12):
        tells(machine, boot_id=str(number), boot_time=int(world.now.timestamp()))
        world.run(world.now + 20 * MINUTE)
    world.run(at(8))
    assert world.kinds() == ["firing"]
    (alert,) = fired()
    assert alert.evidence["count"] == 11


def test_the_first_inventory_is_no_news() -> None:
    world = World.empty(MONDAY, at(2), *(rule(name) for name in EVENTS))
    machine = world.add("m")
    world.run(at(1))
    tells(machine, boot_id="one", agent="0.1.0", kernel="6.1")
    world.run(at(2))
    assert fired() == []


def test_an_upgrade_of_all_agents_is_one_message() -> None:
    world = World.empty(MONDAY, at(3), rule("agent_version", group_by="rule"), rule("kernel"))
    machines = [world.add(f"m{number}") for number in range(12)]
    for version in ("0.1.0", "0.2.0"):
        for machine in machines:
            tells(machine, agent=version)
        world.run(world.now + HOUR)
    world.run(at(3))
    assert [(kind, len(targets)) for kind, targets in world.told()] == [("firing", 12)]
    assert fired()[0].evidence["events"][0]["detail"] == "0.1.0 → 0.2.0"


def test_a_clock_that_was_set_is_told_and_makes_no_other_alert() -> None:
    """A step back: an hour is stamped twice, and what was judged is not judged again."""
    hot = Rule(name="hot", kind=Kind.THRESHOLD, quantity="system.psi_cpu_some", threshold=60, window_seconds=600)
    silent = Rule(name="silent", kind=Kind.NO_DATA, grace_seconds=900)
    world = World.empty(MONDAY, at(6), rule("clock_set"), hot, silent)
    machine = world.add("m", system={"psi_cpu_some": steady(5)})
    machine.offset = lambda t: timedelta() if t < at(2) else -20 * MINUTE - timedelta(seconds=30)
    world.run(at(2))
    world.happened(machine, "clock_set", at(2), at(2), "the clock was set by -1230 s")
    world.run(at(6))
    assert world.told() == [("firing", ("clock_set: m",))]


def test_samples_stamped_ahead_are_told_once_a_day() -> None:
    world = World.empty(MONDAY, at(20), rule("clock_wrong", window_seconds=86_400), every=10 * MINUTE, step=5 * MINUTE)
    machine = world.add("m")
    machine.offset = lambda t: 12 * MINUTE
    world.run(at(20))
    assert world.told() == [("firing", ("clock_wrong: m",))]
    assert "ahead" in fired()[0].evidence["events"][0]["detail"]


def test_a_machine_whose_stamps_lag_for_an_hour_is_told_of_for_nothing_else_could_be() -> None:
    """All its samples are older than what is judged, and yet it is not silent."""
    silent = Rule(name="silent", kind=Kind.NO_DATA, grace_seconds=900)
    world = World.empty(MONDAY, at(8), rule("clock_wrong", window_seconds=86_400), silent)
    machine, backlog = world.add("m"), world.add("backlog", address="192.0.2.2")
    machine.offset = lambda t: -2 * HOUR
    backlog.cut = [(at(1), at(4))]
    world.run(at(8))
    assert ("firing", ("clock_wrong: m",)) in world.told()
    assert sorted(world.kinds()) == ["firing", "firing", "resolved"]
    (event,) = MachineEvent.objects.all()
    assert (event.kind, event.collector) == ("clock_behind", machine.collector)


def test_what_happened_long_ago_is_history_when_it_is_told() -> None:
    world = World.empty(MONDAY, at(12), rule("data_lost"))
    machine = world.add("m")
    world.run(at(10))
    world.happened(machine, "samples_dropped", at(0), at(1))
    world.run(at(12))
    assert fired() == []


def test_an_event_that_goes_on_is_one_alert() -> None:
    world = World.empty(MONDAY, at(6), rule("data_lost"))
    machine = world.add("m")
    world.run(at(1))
    world.happened(machine, "samples_dropped", at(0.5), at(1))
    world.run(at(2))
    MachineEvent.objects.update(until=at(2), received_at=at(2))
    world.run(at(6))
    assert world.kinds() == ["firing"]
