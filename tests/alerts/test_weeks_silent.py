"""Outages of an agent, a relay, a line and the portal through the real evaluator: one alert a cause."""

from __future__ import annotations

from datetime import datetime

import pytest

from alerts.evaluation import pass_over
from alerts.models import Alert, Kind, Rule, State
from collectors.models import Collector
from tests.alerts.simulator import DAY, HOUR, MINUTE, MONDAY, Machine, World, fired, when

pytestmark = pytest.mark.usefixtures("inside_alpha")


def at(hours: float) -> datetime:
    return MONDAY + hours * HOUR


def silent(**fields: object) -> Rule:
    return Rule(**{"name": "silent", "kind": Kind.NO_DATA, "grace_seconds": 900, "group_by": "rule", **fields})


def office(world: World, count: int, address: str = "198.51.100.7", prefix: str = "pc") -> list[Machine]:
    return [world.add(f"{prefix}{number}", address=address) for number in range(count)]


def addressed(world: World, count: int) -> list[Machine]:
    return [world.add(f"m{number}", address=f"192.0.2.{number + 10}") for number in range(count)]


def test_one_agent_that_is_down_is_one_alert_which_closes_with_its_reason() -> None:
    world = World.empty(MONDAY, at(6), silent())
    dead, *_ = addressed(world, 4)
    dead.dead = [(at(1), at(3))]
    world.run(at(2.9))
    assert world.told() == [("firing", ("silent: m0",))]
    (alert,) = fired()
    assert alert.since <= at(1)
    assert alert.evidence["silent_seconds"] >= 900
    world.happened(dead, "host_down", at(1), at(3), "the machine was rebooted")
    world.run(at(6))
    assert world.told()[1:] == [("resolved", ("silent: m0",))]
    (alert,) = fired()
    assert alert.resolution == "Heard again: the host was down."


def test_samples_that_came_late_are_the_reason_that_is_told() -> None:
    world = World.empty(MONDAY, at(6), silent())
    cut, *_ = addressed(world, 4)
    cut.cut = [(at(1), at(3))]
    world.run(at(6))
    (alert,) = fired()
    assert "samples of that time came late" in alert.resolution
    assert world.kinds() == ["firing", "resolved"]


def test_a_reason_that_comes_after_the_machine_is_added_without_a_message() -> None:
    world = World.empty(MONDAY, at(6), silent())
    dead, *_ = addressed(world, 4)
    dead.dead = [(at(1), at(3))]
    world.run(at(4))
    world.happened(dead, "suspended", at(1), at(3))
    world.run(at(6))
    (alert,) = fired()
    assert alert.resolution == "Heard again: the host was suspended."
    assert alert.changes.latest("id").what == "explained"
    assert world.kinds() == ["firing", "resolved"]


def test_a_pause_shorter_than_the_grace_time_is_nobodys_alert() -> None:
    world = World.empty(MONDAY, at(4), silent())
    for number, machine in enumerate(addressed(world, 4)):
        machine.cut = [(at(1 + number / 2) + MINUTE, at(1 + number / 2) + 13 * MINUTE)]
    world.run(at(4))
    assert (world.messages, Alert.objects.count()) == ([], 0)


def test_a_silent_relay_is_one_alert_for_all_machines_behind_it() -> None:
    world = World.empty(MONDAY, at(8), silent())
    behind, others = office(world, 12), addressed(world, 20)
    for machine in behind:
        machine.cut = [(at(1), at(3))]
    others[3].dead = [(at(1.5), at(2.5))]
    world.run(at(4))
    assert sorted(world.told()) == [
        ("firing", ("silent: address:198.51.100.7",)), ("firing", ("silent: m3",)),
        ("resolved", ("silent: address:198.51.100.7",)), ("resolved", ("silent: m3",)),
    ]  # fmt: skip
    cause = Alert.objects.get(collector=None)
    assert cause.members == sorted(machine.name for machine in behind)


def test_forty_machines_silent_together_are_one_alert_though_they_upload_at_different_minutes() -> None:
    """What the portal's own front door, or the network before it, being away looks like while the worker runs."""
    world = World.empty(MONDAY, at(6), silent(), every=MINUTE)
    machines = addressed(world, 40)
    for number, machine in enumerate(machines):
        offset = number % 5
        machine.cut = [
            (MONDAY + minute * MINUTE, MONDAY + (minute + 1) * MINUTE) for minute in range(130) if minute % 5 != offset
        ]
        machine.cut.append((at(1), at(2)))
    world.run(at(2.6))
    assert world.told() == [("firing", ("silent: many",)), ("resolved", ("silent: many",))]
    assert len(Alert.objects.get(collector=None).members) == 40


def test_a_machine_that_stays_away_when_the_others_return_is_an_alert_of_its_own() -> None:
    world = World.empty(MONDAY, at(8), silent())
    for number, machine in enumerate(office(world, 6)):
        machine.cut = [(at(2), at(4) if number else at(7))]
    addressed(world, 10)
    world.run(at(8))
    assert world.told() == [
        ("firing", ("silent: address:198.51.100.7",)), ("resolved", ("silent: address:198.51.100.7",)),
        ("firing", ("silent: pc0",)), ("resolved", ("silent: pc0",)),
    ]  # fmt: skip


def test_those_that_return_a_little_later_than_the_others_are_not_blamed() -> None:
    world = World.empty(MONDAY, at(4), silent())
    for number, machine in enumerate(office(world, 6)):
        machine.cut = [(at(1), at(2) + 8 * number * MINUTE)]
    addressed(world, 10)
    world.run(at(4))
    assert world.told() == [(kind, ("silent: address:198.51.100.7",)) for kind in ("firing", "resolved")]


def test_an_outage_of_the_whole_portal_is_told_once_and_blames_no_machine() -> None:
    world = World.empty(MONDAY, at(10), silent())
    addressed(world, 20)
    world.away = [(at(2), at(7))]
    world.run(at(10))
    assert world.told() == [("firing", ("silent: portal",)), ("resolved", ("silent: portal",))]
    (alert,) = fired()
    assert alert.evidence["pause_seconds"] >= 5 * 3600
    assert alert.since < at(2)


def test_a_machine_that_died_while_the_portal_was_away_is_found_after_the_grace_time() -> None:
    world = World.empty(MONDAY, at(10), silent())
    machines = addressed(world, 10)
    world.away = [(at(2), at(4))]
    machines[0].dead = [(at(3), at(12))]
    world.run(at(10))
    assert ("firing", ("silent: m0",)) in world.told()
    assert len(world.messages) == 3
    assert at(4) < when(fired()[1].fired_at) < at(4.5)


def test_a_restart_of_the_worker_is_no_outage() -> None:
    world = World.empty(MONDAY, at(3), silent())
    addressed(world, 5)
    world.run(at(1))
    world.does_evaluate = False
    world.run(world.now + 5 * MINUTE)
    world.does_evaluate = True
    world.run(at(3))
    assert world.messages == []


def test_a_suspended_partner_is_not_evaluated_and_its_return_is_no_outage() -> None:
    world = World.empty(MONDAY, at(30), silent())
    addressed(world, 5)
    world.run(at(1))
    for hour in range(2, 26):
        pass_over(at(hour))
    world.now = at(25)
    world.run(at(27))
    assert world.messages == []


def test_a_flapping_agent_is_told_a_few_times_only() -> None:
    world = World.empty(MONDAY, at(24), silent(), every=10 * MINUTE)
    flapping, *_ = addressed(world, 4)
    flapping.cut = [(at(n), at(n + 0.6)) for n in range(20)]
    world.run(at(24))
    assert len(world.messages) <= 8
    assert fired()[-1].state == State.RESOLVED


def test_a_machine_that_was_silent_for_long_before_the_rule_came_is_no_news() -> None:
    world = World.empty(MONDAY, at(3), silent())
    long_gone, *_ = addressed(world, 4)
    long_gone.dead = [(at(0), at(30))]
    Collector.objects.filter(pk=long_gone.collector.pk).update(last_seen=MONDAY - 30 * DAY)
    world.run(at(3))
    assert world.messages == []


def test_a_machine_that_was_never_heard_is_not_silent() -> None:
    world = World.empty(MONDAY, at(3), silent())
    new, *_ = addressed(world, 4)
    new.dead = [(at(0), at(30))]
    Collector.objects.filter(pk=new.collector.pk).update(last_seen=None)
    world.run(at(3))
    assert world.messages == []
