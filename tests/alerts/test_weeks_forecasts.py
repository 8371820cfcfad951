"""What will be full, and what is unusual, through the real evaluator: leaks, jobs, saw teeth, summer time."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from accounts.models import TenantSettings
from alerts.models import Kind, Rule, Run, State
from tests.alerts.simulator import DAY, HOUR, MINUTE, MONDAY, WEEK, Curve, World, fired, roll, steady

pytestmark = pytest.mark.usefixtures("inside_alpha")


def full(**fields: object) -> Rule:
    values = {
        "name": "full",
        "quantity": "filesystems.days_until_full",
        "threshold": 7,
        "clear_threshold": 14,
        **fields,
    }
    return Rule(kind=Kind.FORECAST, **values)


def days(world: World, count: int) -> None:
    """Forecasts look at full hours only; the pause between them is none of the portal's."""
    end = world.now + count * DAY
    while world.now < end:
        world.now += HOUR
        Run.objects.update(evaluated_at=world.now - MINUTE)
        world.evaluate()


def filesystem(used: Curve, *, history: int = 14, ahead: int = 4, rule: Rule | None = None) -> World:
    """A disk of 100 GB whose use is known for some days before and some after Monday."""
    world = World.empty(MONDAY, MONDAY + ahead * DAY, rule or full())
    machine = world.add("disk")
    roll(machine, MONDAY - history * DAY, MONDAY + ahead * DAY, "filesystems", "/srv", used_mb=used,
         available_mb=lambda t: 100_000 - (used(t) or 0))  # fmt: skip
    days(world, ahead)
    return world


def since(t: datetime) -> float:
    return (t - MONDAY) / DAY


def test_a_filesystem_that_fills_is_told_once_a_week_before_with_its_interval() -> None:
    world = filesystem(lambda t: 65_000 + 4000 * since(t))
    assert world.told() == [("firing", ("full: disk//srv",))]
    (alert,) = fired()
    assert alert.state == State.FIRING
    low, high = alert.evidence["days"]
    assert low <= alert.evidence["value"] <= high <= 7
    assert alert.evidence["mb_a_day"] == [4000, 4000, 4000]


def test_noise_widens_the_interval_and_is_no_alarm() -> None:
    world = filesystem(lambda t: 50_000 + 9000 * math.sin(since(t) * 2.1) + 8000 * math.sin(since(t) * 5.3))
    assert world.messages == []


def test_growth_that_may_fill_it_in_time_but_need_not_is_no_alarm() -> None:
    """A day on, the interval is 6.5 to 10.3 days: its fast end alone is no reason to wake anybody."""
    world = filesystem(lambda t: 68_000 + 3000 * since(t) + 5000 * math.sin(since(t) * 2.1), ahead=2)
    assert world.messages == []


def test_a_nightly_batch_that_cleans_up_is_no_leak() -> None:
    world = filesystem(lambda t: 40_000 + (50_000 if 1 <= t.hour < 5 else 0))
    assert world.messages == []


def test_a_saw_tooth_has_no_date() -> None:
    """A log that fills for three days and is rotated."""
    world = filesystem(lambda t: 40_000 + 15_000 * (since(t) % 3))
    assert world.messages == []


@pytest.mark.parametrize("history", [0, 1, 3])
def test_a_short_history_is_no_verdict(history: int) -> None:
    """Trap 44: a few days of growth say nothing of the week to come."""
    world = filesystem(lambda t: 80_000 + 6000 * since(t), history=history, ahead=1)
    assert world.messages == []


def test_slow_growth_is_left_alone() -> None:
    world = filesystem(lambda t: 50_000 + 300 * since(t))
    assert world.messages == []


def test_space_that_was_freed_closes_the_alert() -> None:
    world = filesystem(lambda t: (65_000 if since(t) < 3 else 20_000) + 4000 * since(t), ahead=5)
    assert world.kinds() == ["firing", "resolved"]


def test_a_leak_is_told_before_memory_is_full_and_its_restarts_are_not() -> None:
    rule = full(name="leak", quantity="system.days_until_memory_full", threshold=3, clear_threshold=7)
    leak: dict[str, Curve] = {
        "leaks": lambda t: 13_400 + 400 * since(t) + 300 * math.sin(since(t) * 2 * math.pi),
        "restarted": lambda t: 3000 + 1200 * (since(t) % 5), "steady": steady(8000),
    }  # fmt: skip
    world = World.empty(MONDAY, MONDAY + 5 * DAY, rule)
    for name, used in leak.items():
        roll(world.add(name), MONDAY - 14 * DAY, MONDAY + 5 * DAY, mem_used_mb=used, mem_total_mb=steady(16_000))
    days(world, 4)
    assert world.told() == [("firing", ("leak: leaks",))]
    (alert,) = fired()
    assert 3 <= 6.5 - since(alert.fired_at or MONDAY) + 1 < 4.6  # full on day 6.5


def odd(**fields: object) -> Rule:
    values = {"name": "odd", "quantity": "system.cpu_busy_percent", "threshold": 6, "least_deviation": 20, **fields}
    return Rule(kind=Kind.ANOMALY, window_seconds=3600, **values)


def busy(load: Curve) -> dict[str, Curve]:
    return {"cpu_idle": lambda t: 100 - (load(t) or 0), "cpu_iowait": steady(0)}


def history(world: World, load: Curve, until: datetime, weeks: int = 6) -> None:
    """One machine that has lived so for some weeks, and goes on."""
    machine = world.add("usual", system=busy(load))
    roll(machine, until - weeks * WEEK, until, cpu_idle=busy(load)["cpu_idle"], cpu_iowait=steady(0))


def nightly(t: datetime) -> float:
    """Every night from one to three, and all Sunday."""
    return 95 if 1 <= t.hour < 3 or t.weekday() == 6 else 10


@pytest.mark.parametrize("start", [MONDAY, MONDAY + 5.5 * DAY])
def test_the_nightly_batch_and_the_busy_sunday_are_usual(start: datetime) -> None:
    world = World.empty(start, start + DAY, odd(), every=10 * MINUTE, step=5 * MINUTE)
    history(world, nightly, start)
    world.run(start + DAY)
    assert (world.messages, fired()) == ([], [])


def test_a_batch_that_starts_half_an_hour_late_is_usual_and_one_at_noon_is_not() -> None:
    def today(t: datetime) -> float:
        if t < MONDAY:
            return nightly(t)
        late = MONDAY + 90 * MINUTE <= t < MONDAY + 210 * MINUTE
        return 95 if late or t.hour in (12, 13) else 10

    world = World.empty(MONDAY, MONDAY + DAY, odd(), every=10 * MINUTE, step=5 * MINUTE)
    history(world, today, MONDAY)
    world.run(MONDAY + DAY)
    assert world.told() == [("firing", ("odd: usual",)), ("resolved", ("odd: usual",))]
    (alert,) = fired()
    assert 12 <= since(alert.fired_at or MONDAY) * 24 < 13
    usual = alert.changes.get(what="fired").evidence["usual"]
    assert (usual["low"], usual["high"], usual["weeks"]) == (10, 10, 6)


def test_two_weeks_are_too_short_a_history_to_call_anything_unusual() -> None:
    world = World.empty(MONDAY, MONDAY + 6 * HOUR, odd(), every=10 * MINUTE, step=5 * MINUTE)
    machine = world.add("young", system=busy(steady(95)))
    roll(machine, MONDAY - 2 * WEEK, MONDAY, cpu_idle=steady(90), cpu_iowait=steady(0))
    world.run(MONDAY + 6 * HOUR)
    assert fired() == []


def test_the_first_working_day_of_summer_time_is_compared_with_the_same_hours_of_the_clock() -> None:
    """Berlin's office starts at eight by the clock: at 07:00 UTC in winter, at 06:00 UTC from 29 March on."""
    TenantSettings.objects.update(time_zone="Europe/Berlin")
    berlin, first = ZoneInfo("Europe/Berlin"), datetime(2026, 3, 30, tzinfo=UTC)

    def office(t: datetime) -> float:
        local = t.astimezone(berlin)
        return 85 if 8 <= local.hour < 10 and local.weekday() < 5 else 10

    world = World.empty(first, first + DAY, odd(), every=10 * MINUTE, step=5 * MINUTE)
    history(world, office, first)
    world.run(first + DAY)
    assert fired() == []


def test_far_below_the_usual_can_be_asked_for() -> None:
    world = World.empty(MONDAY, MONDAY + 6 * HOUR, odd(comparison="below"), every=10 * MINUTE, step=5 * MINUTE)
    machine = world.add("idle", system=busy(steady(1)))
    roll(machine, MONDAY - 6 * WEEK, MONDAY, cpu_idle=steady(40), cpu_iowait=steady(0))
    world.run(MONDAY + 6 * HOUR)
    assert world.kinds() == ["firing"]
