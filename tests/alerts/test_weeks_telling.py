"""How many messages come out: grouped, repeated, escalated, summed up, and held back by silences."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings

from accounts.models import TenantSettings
from alerts import handling, outbox
from alerts.models import Alert, AlertChange, Kind, Message, Rule, Run, Silence, State
from tests.alerts.simulator import DAY, HOUR, MINUTE, MONDAY, World, between, fired, steady

pytestmark = pytest.mark.usefixtures("inside_alpha")


def at(hours: float) -> datetime:
    return MONDAY + hours * HOUR


def rule(name: str = "hot", quantity: str = "system.psi_cpu_some", **fields: object) -> Rule:
    values = {"kind": Kind.THRESHOLD, "threshold": 60, "clear_threshold": 40, "window_seconds": 600, **fields}
    return Rule(name=name, quantity=quantity, **values)


BUSY = {"psi_cpu_some": between([(at(1), at(3))], 90, 5), "psi_io_full": between([(at(1), at(3))], 90, 5)}


def test_alerts_of_one_machine_that_begin_together_are_one_message() -> None:
    world = World.empty(MONDAY, at(5), rule("cpu"), rule("io", "system.psi_io_full"))
    world.add("busy", system=BUSY)
    world.run(at(5))
    assert world.told() == [(kind, ("cpu: busy", "io: busy")) for kind in ("firing", "resolved")]


def test_a_rule_that_groups_by_itself_tells_all_machines_in_one_message() -> None:
    world = World.empty(MONDAY, at(5), rule(group_by="rule"))
    for number in range(20):
        world.add(f"m{number:02}", system=BUSY)
    world.run(at(5))
    assert [(kind, len(targets)) for kind, targets in world.told()] == [("firing", 20), ("resolved", 20)]


def test_what_follows_soon_after_a_message_of_its_group_is_gathered() -> None:
    world = World.empty(MONDAY, at(3), rule(group_by="rule"), every=MINUTE)
    for number in range(5):
        world.add(f"m{number}", system={"psi_cpu_some": between([(at(1) + number * MINUTE, at(9))], 90, 5)})
    world.run(at(2))
    assert [(kind, len(targets)) for kind, targets in world.told()] == [("firing", 1), ("firing", 4)]


def test_it_is_repeated_until_somebody_acknowledges() -> None:
    world = World.empty(MONDAY, at(9), rule(repeat_minutes=60))
    world.add("busy", system={"psi_cpu_some": steady(90)})
    world.run(at(3.5))
    assert world.kinds() == ["firing", "repeat", "repeat", "repeat"]
    assert handling.acknowledge(fired()[0], actor="ann@alpha.example", ip=None, note="on it")
    world.run(at(9))
    assert world.kinds() == ["firing", "repeat", "repeat", "repeat"]
    change = AlertChange.objects.get(what="acknowledged")
    assert (change.by, change.note, change.evidence["threshold"]) == ("ann@alpha.example", "on it", 60)


def test_without_acknowledgement_it_escalates_once() -> None:
    world = World.empty(MONDAY, at(9), rule(escalate_after_minutes=30))
    world.add("busy", system={"psi_cpu_some": steady(90)})
    world.run(at(9))
    assert world.kinds() == ["firing", "escalation"]
    (first, _), (second, _) = ((moment, kind) for moment, kind, _ in world.messages)
    assert second - first == 30 * MINUTE


def test_acknowledged_in_time_it_does_not_escalate_and_withdrawn_it_does() -> None:
    world = World.empty(MONDAY, at(9), rule(escalate_after_minutes=30))
    world.add("busy", system={"psi_cpu_some": steady(90)})
    world.run(at(0.4))
    (alert,) = fired()
    assert handling.acknowledge(alert, actor="ann@alpha.example", ip=None)
    assert not handling.acknowledge(alert, actor="bob@alpha.example", ip=None)
    world.run(at(4))
    assert world.kinds() == ["firing"]
    assert handling.withdraw(alert, actor="ann@alpha.example", ip=None)
    world.run(at(5))
    assert world.kinds() == ["firing", "escalation"]


def test_an_acknowledged_alert_that_is_over_is_told_as_resolved() -> None:
    world = World.empty(MONDAY, at(5), rule())
    world.add("busy", system=BUSY)
    world.run(at(2))
    handling.acknowledge(fired()[0], actor="ann@alpha.example", ip=None)
    world.run(at(5))
    assert world.kinds() == ["firing", "resolved"]
    assert fired()[0].acknowledged_by == "ann@alpha.example"


def test_a_flood_is_a_few_messages_and_a_summary(settings: LazySettings) -> None:
    settings.ALERT_MESSAGES_PER_HOUR = 5
    world = World.empty(MONDAY, at(2), rule())
    for number in range(40):
        world.add(f"m{number:02}", system={"psi_cpu_some": between([(at(0.5), at(9))], 90, 5)})
    world.run(at(2))
    told = world.told()
    assert [kind for kind, _ in told] == ["firing"] * 5 + ["summary"]
    assert sum(len(targets) for _, targets in told) == 40


def test_what_is_over_before_its_message_left_is_not_told(settings: LazySettings) -> None:
    settings.ALERT_MESSAGES_PER_HOUR = 0  # everything waits for the summary
    world = World.empty(MONDAY, at(2), rule(window_seconds=120), every=MINUTE)
    world.add("short", system={"psi_cpu_some": between([(at(1), at(1) + 2 * MINUTE)], 90, 5)})
    world.run(at(2))
    assert (world.messages, len(fired()), Message.objects.count()) == ([], 1, 0)


def silence(**fields: object) -> Silence:
    values: dict[str, object] = {"name": "work on it", "starts_at": at(0), "ends_at": at(2), **fields}
    return Silence.objects.create(**values)


def test_a_silence_holds_back_what_is_over_and_tells_what_goes_on_when_it_ends() -> None:
    world = World.empty(MONDAY, at(6), rule())
    silence(machine_ids=["short", "long"])
    for name, until in (("short", 1.5), ("long", 4), ("other", 1.5)):
        world.add(name, system={"psi_cpu_some": between([(at(1), at(until))], 90, 5)})
    world.run(at(1.9))
    assert world.told() == [("firing", ("hot: other",)), ("resolved", ("hot: other",))]
    assert [alert.is_silenced for alert in Alert.objects.loud()] == [True]
    world.run(at(6))
    assert world.told()[2:] == [("firing", ("hot: long",)), ("resolved", ("hot: long",))]
    long = Alert.objects.get(collector__machine_id="long")
    assert [change.what for change in long.changes.all()] == ["opened", "fired", "silenced", "heard", "resolved"]


def test_a_silence_by_tag_and_rule_means_only_those() -> None:
    world = World.empty(MONDAY, at(2), rule("cpu"), rule("io", "system.psi_io_full"))
    silence(tags=["web"], rule=Rule.objects.get(name="cpu"))
    world.add("web1", tags=("web",), system=BUSY)
    world.add("db1", tags=("db",), system=BUSY)
    world.run(at(1.9))
    assert sorted(world.told()) == [("firing", ("cpu: db1", "io: db1")), ("firing", ("io: web1",))]


def test_what_was_told_before_the_silence_is_told_as_resolved_in_it() -> None:
    world = World.empty(MONDAY, at(4), rule())
    silence(starts_at=at(2), ends_at=at(4))
    world.add("busy", system=BUSY)
    world.run(at(4))
    assert world.kinds() == ["firing", "resolved"]


def test_a_maintenance_window_recurs_in_the_tenants_time_zone_across_summer_time() -> None:
    """Sundays 02:30 to 04:30 in Berlin: 01:30 UTC in winter, 00:30 UTC once the clock was put forward on 29 March."""
    TenantSettings.objects.update(time_zone="Europe/Berlin")
    berlin = ZoneInfo("Europe/Berlin")
    starts = datetime(2026, 3, 1, 2, 30, tzinfo=berlin)
    silence(starts_at=starts, ends_at=None, recurrence="FREQ=WEEKLY;BYDAY=SU", minutes=120)
    for sunday, hour, expected in ((22, 2.25, []), (22, 3.75, ["firing"]), (36, 1.25, []), (36, 2.75, ["firing"])):
        start = datetime(2026, 3, 1, tzinfo=MONDAY.tzinfo) + (sunday - 1) * DAY + (hour - 0.5) * HOUR
        Alert.objects.all().delete()
        Message.objects.all().delete()
        Run.objects.all().delete()
        world = World.empty(start, start + HOUR, rule())
        world.add("busy", system={"psi_cpu_some": steady(90)})
        world.run(start + 40 * MINUTE)
        assert world.kinds() == expected, (sunday, hour)


def test_the_evaluation_writes_a_message_in_the_transaction_of_the_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World.empty(MONDAY, at(2), rule())
    world.add("busy", system={"psi_cpu_some": steady(90)})

    def fail(*args: object) -> int:
        raise RuntimeError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr("alerts.telling._put", fail)
        with pytest.raises(RuntimeError):
            world.run(at(1))
        assert (Alert.objects.count(), Message.objects.count()) == (0, 0)
    world.run(at(2))
    assert world.kinds() == ["firing"]
    assert fired()[0].state == State.FIRING
    assert outbox.take(at(3)) == []
