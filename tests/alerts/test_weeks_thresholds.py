"""Constructed hours through the real evaluator: what is wrong is told once, what is harmless never."""

from __future__ import annotations

from datetime import datetime

import pytest

from alerts.book import Book
from alerts.models import Alert, AlertChange, Kind, Rule, State
from tests.alerts.simulator import HOUR, MINUTE, MONDAY, World, between, fired, name_of, steady, when

pytestmark = pytest.mark.usefixtures("inside_alpha")


def hot(**fields: object) -> Rule:
    values = {
        "name": "hot", "kind": Kind.THRESHOLD, "quantity": "system.psi_cpu_some", "threshold": 60,
        "clear_threshold": 40, "window_seconds": 600, **fields,
    }  # fmt: skip
    return Rule(**values)


def at(hours: float) -> datetime:
    return MONDAY + hours * HOUR


def test_a_steady_day_tells_nothing() -> None:
    world = World.empty(MONDAY, at(24), every=10 * MINUTE, step=5 * MINUTE)
    world.add("steady", system={"psi_cpu_some": steady(12), "psi_io_full": steady(2), "cpu_idle": steady(70)})
    world.run(at(24))
    assert world.messages == []
    assert Alert.objects.count() == 0


def test_two_hours_above_are_one_alert_and_two_messages_with_their_evidence() -> None:
    world = World.empty(MONDAY, at(6), hot())
    machine = world.add("busy", system={"psi_cpu_some": between([(at(1), at(3))], 90, 10)})
    world.run(at(6))
    assert world.told() == [("firing", ("hot: busy",)), ("resolved", ("hot: busy",))]
    (alert,) = fired()
    assert alert.collector == machine.collector
    assert at(1) < when(alert.fired_at) < at(1.2)
    assert at(3) < when(alert.resolved_at) < at(3.3)
    changes = list(alert.changes.values_list("what", flat=True))
    assert changes == ["opened", "fired", "resolved"]
    evidence = AlertChange.objects.get(alert=alert, what="fired").evidence
    assert evidence["value"] >= 60
    assert (evidence["threshold"], evidence["window_seconds"], evidence["samples"]) == (60, 600, 10)


def test_a_peak_shorter_than_the_window_is_averaged_away() -> None:
    world = World.empty(MONDAY, at(3), hot())
    world.add("peak", system={"psi_cpu_some": between([(at(1), at(1) + 5 * MINUTE)], 100, 5)})
    world.run(at(3))
    assert (world.messages, Alert.objects.count()) == ([], 0)


def test_what_does_not_last_for_the_grace_time_is_kept_but_never_told() -> None:
    world = World.empty(MONDAY, at(3), hot(grace_seconds=1800))
    world.add("short", system={"psi_cpu_some": between([(at(1), at(1) + 25 * MINUTE)], 90, 5)})
    world.run(at(3))
    assert world.messages == []
    (alert,) = Alert.objects.all()
    assert (alert.state, alert.fired_at) == (State.RESOLVED, None)


def test_a_value_between_the_levels_neither_fires_nor_resolves() -> None:
    world = World.empty(MONDAY, at(5), hot())
    middle = [(at(0), at(1)), (at(2), at(4))]
    world.add(
        "middle",
        system={"psi_cpu_some": lambda t: 50 if any(a <= t < b for a, b in middle) else 80 if t < at(2) else 10},
    )
    world.run(at(3.9))
    assert world.kinds() == ["firing"]
    world.run(at(5))
    assert world.kinds() == ["firing", "resolved"]


@pytest.mark.parametrize("minutes", [20, 30, 60])
def test_flapping_is_told_a_few_times_and_then_stays_one_alert(minutes: int) -> None:
    world = World.empty(MONDAY, at(24), hot(window_seconds=300), every=10 * MINUTE)
    spans = [(MONDAY + n * MINUTE, MONDAY + (n + minutes / 2) * MINUTE) for n in range(0, 20 * 60, minutes)]
    world.add("flapping", system={"psi_cpu_some": between(spans, 90, 5)})
    world.run(at(24))
    assert world.kinds()[-1] == "resolved"
    assert len(world.messages) <= 8
    assert when(fired()[-1].resolved_at) > at(19)


def test_late_data_of_what_is_over_pages_nobody() -> None:
    world = World.empty(MONDAY, at(10), hot())
    machine = world.add("late", system={"psi_cpu_some": between([(at(2), at(3))], 95, 5)})
    machine.cut = [(at(1), at(5))]
    world.run(at(10))
    assert (world.messages, fired()) == ([], [])


def test_late_data_of_what_goes_on_is_told_once() -> None:
    world = World.empty(MONDAY, at(10), hot())
    machine = world.add("late", system={"psi_cpu_some": between([(at(2), at(8))], 95, 5)})
    machine.cut = [(at(1), at(5))]
    world.run(at(10))
    assert world.kinds() == ["firing", "resolved"]


def test_the_first_sample_after_a_gap_stands_for_no_window() -> None:
    world = World.empty(MONDAY, at(4), hot())
    machine = world.add("gap", system={"psi_cpu_some": between([(at(2), at(2) + 2 * MINUTE)], 100, 5)})
    machine.dead = [(at(1), at(2))]
    world.run(at(4))
    assert world.messages == []


def test_a_device_is_watched_by_its_own_and_by_pattern() -> None:
    rule = hot(quantity="filesystems.used_percent", threshold=90, clear_threshold=85, instance_pattern="/srv*")
    world = World.empty(MONDAY, at(2), rule)
    full = {"used_percent": steady(97)}
    world.add("disk", filesystems={"/": full, "/srv/data": full, "/srv/<b>": {"used_percent": steady(20)}})
    world.run(at(2))
    assert world.told() == [("firing", ("hot: disk//srv/data",))]


def test_a_mount_that_is_gone_closes_its_alert_and_a_silent_machine_does_not() -> None:
    rule = hot(quantity="filesystems.used_percent", threshold=90, clear_threshold=85)
    world = World.empty(MONDAY, at(8), rule, every=10 * MINUTE)
    gone = world.add("gone", filesystems={"/mnt": {"used_percent": steady(97)}})
    dead = world.add("dead", filesystems={"/mnt": {"used_percent": steady(97)}})
    world.run(at(2))
    gone.curves = {"system": gone.curves["system"]}
    dead.dead = [(at(2), at(9))]
    world.run(at(8))
    by_name = {name_of(alert): alert for alert in fired()}
    assert by_name["gone"].resolution == "It is not reported any more."
    assert by_name["dead"].state == State.FIRING


def test_scope_by_machine_and_by_tag() -> None:
    world = World.empty(MONDAY, at(2), hot(machine_ids=["named"], tags=["web"]))
    for name, tags in (("named", ()), ("tagged", ("web", "x")), ("other", ("db",))):
        world.add(name, tags=tags, system={"psi_cpu_some": steady(90)})
    world.run(at(2))
    assert sorted(name_of(alert) for alert in fired()) == ["named", "tagged"]


def test_a_restart_neither_doubles_nor_loses() -> None:
    """The evaluation pauses for four minutes, as a restart does, and runs twice for one instant, as two workers may."""
    world = World.empty(MONDAY, at(4), hot())
    world.add("busy", system={"psi_cpu_some": between([(at(1), at(2))], 90, 5)})
    while world.now < at(4):
        world.every = MINUTE * (1 if world.now.minute % 7 else 4)
        world.run(world.now + world.every)
        world.evaluate()
    assert world.kinds() == ["firing", "resolved"]


def test_below_works_as_above_does() -> None:
    rule = hot(quantity="system.mem_available_mb", comparison="below", threshold=500, clear_threshold=800)
    world = World.empty(MONDAY, at(5), rule)
    world.add(
        "low",
        system={"mem_available_mb": lambda t: 5000 if t < at(1) else 400 if t < at(2) else 700 if t < at(3) else 900},
    )
    world.run(at(2.9))
    assert world.kinds() == ["firing"]
    world.run(at(5))
    assert world.kinds() == ["firing", "resolved"]


def test_a_rule_turned_off_or_changed_to_something_else_closes_its_alerts() -> None:
    world = World.empty(MONDAY, at(3), hot())
    world.add("busy", system={"psi_cpu_some": steady(90)})
    world.run(at(1))
    Rule.objects.update(enabled=False)
    world.run(at(1.5))
    assert [alert.resolution for alert in fired()] == ["The rule was deleted or turned off."]
    Rule.objects.update(enabled=True)
    world.run(at(2))
    Rule.objects.update(quantity="system.psi_io_full")
    world.run(at(2.5))
    assert [alert.state for alert in fired()] == [State.RESOLVED] * 2


def test_a_retired_machine_closes_its_alerts() -> None:
    world = World.empty(MONDAY, at(3), hot())
    machine = world.add("busy", system={"psi_cpu_some": steady(90)})
    world.run(at(1))
    machine.collector.active = False
    machine.collector.save(update_fields=["active"])
    world.run(at(2))
    assert [alert.resolution for alert in fired()] == ["The machine was retired."]


def test_what_fired_more_than_a_day_before_does_not_lengthen_the_holding_time() -> None:
    world = World.empty(MONDAY, at(29), hot(), every=10 * MINUTE)
    world.add("daily", system={"psi_cpu_some": between([(at(1), at(2)), (at(27), at(29))], 90, 5)})
    world.run(at(28))
    book = Book.open(world.now)
    ((key, alert),) = book.alerts.items()
    assert (alert.firings, book.standing(key).hold) == (1, 5 * MINUTE)
