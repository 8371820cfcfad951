"""How numbers, times and small graphics are written on a page. None is a dash: not measured is not zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

DASH = "–"
SPARK_WIDTH, SPARK_HEIGHT = 120, 26


@register.filter
def amount(value: object) -> str:
    """About three digits: 0.04, 3.2, 31, 1,204. A template's word for a missing value is '', which is a dash too."""
    if not isinstance(value, int | float):
        return DASH
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.0f}"
    return f"{value:.2f}" if 0.005 <= value < 0.095 else f"{value:.1f}"


@register.filter
def whole(value: int) -> str:
    """1,204"""
    return f"{value:,}"


@register.filter
def ago(moment: datetime | None) -> str:
    """How long ago, in the largest unit that fits."""
    if moment is None:
        return "never"
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


@register.simple_tag
def moment(value: datetime | None) -> SafeString:
    """An instant: how long ago; the page's script adds the reader's own time to the UTC that hovering shows."""
    if value is None:
        return format_html('<span class="quiet">{}</span>', "never")
    text = value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return format_html('<time datetime="{}" title="{} UTC">{}</time>', text, text[:-1].replace("T", " "), ago(value))


@register.simple_tag
def bar(value: object, high: float = 90, warm: float = 75) -> SafeString:
    """A share of 100 as a thin bar; the number stands beside it, so it is hidden from screen readers."""
    if not isinstance(value, int | float):
        return mark_safe('<svg class="bar" aria-hidden="true"></svg>')  # constant
    level = "high" if value >= high else "warm" if value >= warm else "calm"
    return format_html(
        '<svg class="bar {}" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" width="100" height="4"/><rect class="fill" width="{}" height="4"/></svg>',
        level,
        f"{min(100.0, max(0.0, value)):.1f}",
    )


@register.simple_tag
def whisker(found: tuple[float, float, float] | None, is_real: bool) -> SafeString:
    """Interval and middle in percent around zero, cut near ±100; the figures stand beside it."""
    if found is None:
        return mark_safe("")  # constant
    low, middle, high = (50 + min(94.0, max(-94.0, value)) / 2 for value in found)
    return format_html(
        '<svg class="whisker{}" viewBox="0 0 100 12" aria-hidden="true"><path class="zero" d="M50 0V12"/>'
        '<path class="reach" d="M{} 6H{}"/><circle cx="{}" cy="6" r="2.6"/></svg>',
        " real" if is_real else "", f"{low:.1f}", f"{max(high, low + 0.5):.1f}", f"{middle:.1f}",
    )  # fmt: skip


@register.simple_tag
def sparkline(values: Sequence[float | None], label: str) -> SafeString:
    """Percentages over time as a line; a None leaves a gap."""
    runs = list(_runs(values))
    line = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run) for run in runs)
    area = "".join(
        f"M{run[0][0]:.1f} {SPARK_HEIGHT}L" + "L".join(f"{x:.1f} {y:.1f}" for x, y in run)
        + f"L{run[-1][0]:.1f} {SPARK_HEIGHT}Z" for run in runs
    )  # fmt: skip
    known = [value for value in values if value is not None]
    spoken = f"{label}: {min(known):.0f} to {max(known):.0f} %" if known else f"{label}: no samples"
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path class="area" d="{}"/><path class="line" d="{}"/></svg>',
        SPARK_WIDTH, SPARK_HEIGHT, spoken, area, line,
    )  # fmt: skip


def _runs(values: Sequence[float | None]) -> Iterator[list[tuple[float, float]]]:
    """Stretches without a gap, as points of the picture; a lone value gets a little width."""
    step = SPARK_WIDTH / max(1, len(values) - 1)
    points = [(at * step, value) for at, value in enumerate(values)]
    for known, run in groupby(points, key=lambda point: point[1] is not None):
        if known:
            drawn = [(x, SPARK_HEIGHT - 1 - (SPARK_HEIGHT - 2) * min(100.0, y or 0.0) / 100) for x, y in run]
            yield drawn if len(drawn) > 1 else [drawn[0], (drawn[0][0] + 1, drawn[0][1])]
