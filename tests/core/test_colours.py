"""Whatever colour a tenant chooses, text in it and on it can be read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import colours
from portal import brand

COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("one", "other", "known"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#777777", "#ffffff", 4.48),
        ("#ff0000", "#ffffff", 4.0),
        ("#123456", "#123456", 1.0),
    ],
)
def test_contrast_is_what_wcag_says(one: str, other: str, known: float) -> None:
    assert colours.contrast(one, other) == pytest.approx(known, abs=0.01)
    assert colours.contrast(other, one) == colours.contrast(one, other)


@given(COLOURS)
def test_ink_on_any_colour_can_be_read(colour: str) -> None:
    assert colours.contrast(colours.ink_on(colour), colour) >= colours.READABLE


def test_a_colour_that_can_be_read_is_left_alone() -> None:
    assert colours.readable_on("#0b5c93", "#ffffff") == "#0b5c93"


@given(COLOURS)
def test_every_token_of_a_brand_can_be_read_on_every_ground_in_light_and_dark(colour: str) -> None:
    css = brand.stylesheet(colour)
    accent, ink, soft = (_pair(css, name) for name in ("--accent", "--accent-ink", "--accent-soft"))
    for scheme, grounds in enumerate((brand.LIGHT_GROUNDS, brand.DARK_GROUNDS)):
        for ground in (*grounds, soft[scheme]):
            assert colours.contrast(accent[scheme], ground) >= colours.READABLE
        assert colours.contrast(accent[scheme], ink[scheme]) >= colours.READABLE


def _pair(css: str, name: str) -> tuple[str, str]:
    found = re.search(rf"{name}: light-dark\((#\w{{6}}), (#\w{{6}})\)", css)
    assert found
    return found[1], found[2]
