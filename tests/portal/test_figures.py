"""How numbers, times and small graphics are written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.templatetags import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), ("", "–"), (0, "0.0"), (0.004, "0.0"), (0.04, "0.04"), (0.3, "0.3"), (3.21, "3.2"),
        (31.4, "31"), (1204.4, "1,204"), (99.96, "100"),
    ],
)  # fmt: skip
def test_numbers_have_about_three_digits(value: object, text: str) -> None:
    assert figures.amount(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (90_000, "1 d ago")]
)
def test_ages_are_told_in_the_largest_unit(seconds: int, text: str) -> None:
    assert figures.ago(timezone.now() - timedelta(seconds=seconds)) == text


def test_a_gap_breaks_the_sparkline() -> None:
    svg = figures.sparkline([1.0, 2.0, None, 3.0, 4.0], "CPU")
    line = svg.split('class="line" d="')[1].split('"')[0]
    assert line.count("M") == 2


def test_a_lone_value_is_visible() -> None:
    line = figures.sparkline([None, 50.0, None], "CPU").split('class="line" d="')[1].split('"')[0]
    assert line.count("L") == 1


def test_an_empty_sparkline_says_so_and_draws_nothing() -> None:
    svg = figures.sparkline([None] * 48, "CPU")
    assert "no samples" in svg
    assert ' d=""' in svg


@pytest.mark.parametrize(("value", "level"), [(10, "calm"), (80, "warm"), (95, "high")])
def test_a_bar_stays_inside_its_rail(value: float, level: str) -> None:
    assert f'class="bar {level}"' in figures.bar(value)
    assert 'width="100.0"' in figures.bar(250.0)
    assert 'width="0.0"' in figures.bar(-5.0)
