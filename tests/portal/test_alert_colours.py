"""The colours of drawings on the pages about alerts."""

from __future__ import annotations

import re

from django.conf import settings

from reports import inline

STYLE = (settings.BASE_DIR / "static/portal/alerts.css").read_text()


def test_the_stylesheet_has_the_colours_of_charts_in_both_modes() -> None:
    light, dark = inline.variables("light"), inline.variables("dark")
    said = re.findall(r"(--(?:chart|ink)-\w+): light-dark\((#\w+), (#\w+)\)", STYLE)
    assert len(said) > 6
    assert said == [(name, light[name], dark[name]) for name, _, _ in said]


def test_no_colour_of_a_drawing_is_missing_there() -> None:
    """Lines, levels, marks, letters and axes: what charts of alerts are drawn with."""
    defined = set(re.findall(r"(--[\w-]+):", STYLE))
    used = {
        "--chart-0",
        "--chart-1",
        "--chart-2",
        "--chart-6",
        "--ink-text",
        "--ink-quiet",
        "--ink-line",
        "--ink-faint",
    }
    assert used <= defined
