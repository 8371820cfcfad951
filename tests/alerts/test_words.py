"""What people read of evidence and rules."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts import handling, rules_file, words
from alerts.models import Kind, Rule


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (900, "15 min"),
        (7_500, "2 h 5 min"),
        (86_400, "1 d"),
        (90_060, "1 d 1 h"),
        (3_601, "1 h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: int, said: str) -> None:
    assert words.span(seconds) == words.span(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("value", "said"), [(None, "–"), (0.0, "0 %"), (0.0123, "0.0123 %"), (12.34, "12.3 %"), (1234.5, "1,234 %")]
)
def test_a_number_has_three_digits_and_its_unit(value: float | None, said: str) -> None:
    assert words.number(value, "%") == said


def test_a_measured_value_stands_beside_its_limit_and_says_what_it_rests_on() -> None:
    told = {"value": 12.34, "unit": "%", "threshold": 10.0, "samples": 10, "window_seconds": 600}
    assert words.how_bad(told) == "12.3 %, limit 10 %"
    assert words.working(told) == "Mean of 10 min, 10 samples."


def test_an_unusual_value_stands_beside_what_is_usual() -> None:
    usual = {"low": 5.0, "high": 20.0, "hours": 12, "weeks": 4}
    told = {"value": 80.0, "unit": "%", "usual": usual, "samples": 60, "window_seconds": 3600}
    assert words.how_bad(told) == "80 %; usual at this hour 5 to 20 %"
    assert words.working(told) == "Mean of 1 h, 60 samples; its usual comes from 12 hours in 4 weeks."


@pytest.mark.parametrize(
    ("days", "said"),
    [([2.04, 4.4], "full in 2.04 to 4.4 days"), ([3.0, None], "full in 3 days or more"), (None, "not filling")],
)
def test_a_forecast_is_a_range(days: list[float | None] | None, said: str) -> None:
    assert words.how_bad({"days": days, "days_seen": 14}) == said


def test_silence_tells_of_how_many_machines() -> None:
    one = {"silent_seconds": 1_260, "machines": 1, "silent": 1}
    assert words.how_bad(one) == "no samples for 21 min"
    assert words.how_bad({**one, "machines": 20, "silent": 18}) == "18 of 20 machines: no samples for 21 min"


def test_events_tell_the_newest_and_how_often() -> None:
    reboot = {"kind": "rebooted", "detail": ""}
    assert words.how_bad({"events": [reboot], "count": 1}) == "rebooted"
    told = {"events": [reboot, {"kind": "clock_set", "detail": "by 90 s"}], "count": 2}
    assert words.how_bad(told) == "2 times, newest: by 90 s"


def test_a_pause_of_the_portal_tells_how_long_it_was() -> None:
    assert words.how_bad({"pause_seconds": 7_200}) == "nothing was evaluated for 2 h"


def test_nothing_known_is_nothing_said() -> None:
    assert words.how_bad({}) == words.working({}) == ""


def test_every_shipped_rule_reads_as_a_sentence() -> None:
    for rule in rules_file.read(handling.DEFAULTS.read_text()):
        said = words.of_rule(rule)
        assert said[0].isupper()
        assert said.endswith(".")
        assert "None" not in said


def test_a_rule_tells_for_whom_it_is() -> None:
    rule = Rule(
        kind=Kind.THRESHOLD, quantity="filesystems.used_percent", threshold=90, window_seconds=900,
        machine_ids=["db01"], tags=["prod"], instance_pattern="/srv*",
    )  # fmt: skip
    assert words.of_rule(rule).endswith("mean of 15 min; on db01 and tag prod; devices /srv*.")
