"""alerts.judging and alerts.rules: levels, grace, holding, ticks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import judging, rules
from alerts.judging import Levels, Spell, Standing, Turn, Verdict
from alerts.models import Kind, Rule
from alerts.quantities import EVENTS, QUANTITIES, STORES, unknown_columns
from core.catalogue import DATASETS

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MET, BETWEEN, CLEAR, UNKNOWN = Verdict.MET, Verdict.BETWEEN, Verdict.CLEAR, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("levels", "value", "verdict"),
    [
        (Levels(True, 90, 80), 90, MET), (Levels(True, 90, 80), 89.9, BETWEEN), (Levels(True, 90, 80), 80, BETWEEN),
        (Levels(True, 90, 80), 79.9, CLEAR), (Levels(True, 90, 90), 89.9, CLEAR), (Levels(False, 5, 8), 5, MET),
        (Levels(False, 5, 8), 8, BETWEEN), (Levels(False, 5, 8), 8.1, CLEAR), (Levels(True, 90, 80), None, UNKNOWN),
    ],
)  # fmt: skip
def test_a_value_is_judged_by_its_levels(levels: Levels, value: float | None, verdict: Verdict) -> None:
    assert levels.verdict(value) == verdict


def walk(verdicts: list[Verdict], grace: int = 0) -> list[Spell]:
    return judging.spells(((NOON + n * MINUTE, one) for n, one in enumerate(verdicts)), grace * MINUTE)


def test_it_fires_after_the_grace_time_and_is_over_after_the_holding_time() -> None:
    (spell,) = walk([CLEAR, MET, MET, BETWEEN, *[MET] * 4, *[CLEAR] * 6], grace=3)
    assert spell == Spell(NOON + 4 * MINUTE, NOON + 7 * MINUTE, NOON + 8 * MINUTE)


def test_what_is_unknown_changes_nothing() -> None:
    assert walk([MET, *[UNKNOWN] * 60, CLEAR, *[UNKNOWN] * 4, CLEAR])[0].until == NOON + 61 * MINUTE
    assert walk([UNKNOWN] * 10) == []


def test_each_firing_of_a_day_doubles_the_holding_time_to_two_hours() -> None:
    holds = [Standing(fired=(NOON,) * count).hold for count in (0, 1, 2, 3, 4, 5, 6, 50)]
    assert holds == [timedelta(minutes=minutes) for minutes in (5, 5, 10, 20, 40, 80, 120, 120)]


def test_a_firing_of_the_day_before_is_forgotten() -> None:
    standing, turns = judging.step(Standing(fired=(NOON - timedelta(hours=25),)), NOON, MET, timedelta())
    assert turns == [Turn.OPENED, Turn.FIRED]
    assert standing.fired == (NOON,)


@given(st.lists(st.sampled_from(list(Verdict)), max_size=200), st.integers(0, 20))
def test_spells_are_in_order_apart_and_fire_only_after_their_grace_time(verdicts: list[Verdict], grace: int) -> None:
    found = walk(verdicts, grace)
    for spell in found:
        assert spell.fired_at - spell.since >= grace * MINUTE
        assert spell.until is None or spell.until > spell.fired_at
    for first, second in pairwise(found):
        assert first.until is not None
        assert first.until < second.since


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.integers(0, 5000), st.sampled_from([1, 5, 60]))
def test_ticks_are_the_same_however_the_time_is_cut(start: datetime, seconds: int, apart: int) -> None:
    first = start.replace(tzinfo=UTC)
    middle, last = first + timedelta(seconds=seconds / 2), first + timedelta(seconds=seconds)
    step = apart * MINUTE
    whole = list(rules.ticks(first, last, step))
    assert whole == [*rules.ticks(first, middle, step), *rules.ticks(middle, last, step)]
    assert all(first < tick <= last and tick.minute % apart == 0 and not tick.second for tick in whole)


def test_every_number_of_the_catalogue_can_be_watched_and_every_formula_is_of_its_columns() -> None:
    numbers = {f"{d.name}.{m.name}" for d in DATASETS.values() for m in d.metrics if m.is_number}
    assert numbers <= QUANTITIES.keys()
    assert unknown_columns() == []


def test_a_rule_in_order_has_no_complaints_whatever_it_watches() -> None:
    for kind, names in (
        (Kind.THRESHOLD, QUANTITIES), (Kind.ANOMALY, [q.name for q in QUANTITIES.values() if q.rolls_up]),
        (Kind.FORECAST, STORES), (Kind.EVENT, EVENTS), (Kind.NO_DATA, [""]),
    ):  # fmt: skip
        for name in names:
            rule = Rule(name="r", kind=kind, quantity=name, threshold=5, grace_seconds=900)
            assert rules.complaints(rule) == [], name


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": " "}), ("name", {"name": "a\nb"}), ("kind", {"kind": "guess"}),
        ("quantity", {"quantity": "system.nothing"}), ("quantity", {"kind": Kind.NO_DATA}),
        ("quantity", {"kind": Kind.ANOMALY, "quantity": "system.load_per_core"}), ("threshold", {"threshold": None}),
        ("clear_threshold", {"clear_threshold": 95}),
        ("clear_threshold", {"comparison": "below", "clear_threshold": 80}), ("window_seconds", {"window_seconds": 10}),
        ("grace_seconds", {"kind": Kind.NO_DATA, "quantity": "", "grace_seconds": 10}),
        ("repeat_minutes", {"repeat_minutes": 0}), ("severity", {"severity": "fatal"}),
        ("machine_ids", {"machine_ids": ["a b"]}), ("tags", {"tags": [""]}),
        ("instance_pattern", {"instance_pattern": "/*"}),
        ("threshold", {"kind": Kind.FORECAST, "quantity": "filesystems.days_until_full", "threshold": 0}),
        ("least_deviation", {"kind": Kind.ANOMALY, "least_deviation": -1}),
    ],
)  # fmt: skip
def test_a_senseless_rule_is_told_by_its_field(field: str, changes: dict[str, object]) -> None:
    values = {"name": "r", "kind": Kind.THRESHOLD, "quantity": "system.psi_cpu_some", "threshold": 90, **changes}
    assert field in [one.field for one in rules.complaints(Rule(**values))]


def test_a_pattern_takes_instances_as_a_shell_does() -> None:
    rule = Rule(instance_pattern="/srv*")
    assert [rules.matches(rule, name) for name in ("/srv", "/srv/data", "/", "/SRV")] == [True, True, False, False]
