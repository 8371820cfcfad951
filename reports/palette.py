"""Colours, letters and axes of every chart, in light and dark.

Colours follow Okabe and Ito (Color Universal Design, 2008), darkened or lightened to 3:1 against their background.
"""

from __future__ import annotations

from typing import Any

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""vl-convert carries Liberation Sans and Arial has its widths: the same layout on a machine with no fonts at all."""

LIGHT = ("#0072b2", "#d55e00", "#008a64", "#a63d8f", "#8a6d00", "#3f8fc4", "#882255", "#6b7280")
DARK = ("#56b4e9", "#ff9e5e", "#3dd6a4", "#e78ac3", "#f0d34a", "#9cc8ff", "#ff8fa3", "#a8b0bd")
LIGHT_HEAT = ("#eef5fa", "#cfe3f1", "#a3cae4", "#6fabd2", "#3f8bbd", "#1d6a9e", "#0b4a75")
DARK_HEAT = ("#16222c", "#1b3547", "#1f4d6b", "#256a94", "#3589bd", "#5cade0", "#a5d8ff")
LIGHT_DIVERGING = ("#a63a00", "#dd8452", "#f3cbb0", "#f4f4f2", "#b9d7ea", "#5fa3cf", "#0b5f95")
DARK_DIVERGING = ("#ff9e5e", "#b8683a", "#5f3b26", "#1d252c", "#1d4158", "#2f79a8", "#56b4e9")
LIGHT_INK = {"text": "#1f2933", "quiet": "#5b6673", "line": "#d5dbe1", "faint": "#eceff2"}
DARK_INK = {"text": "#e6eaee", "quiet": "#a0abb6", "line": "#3a444e", "faint": "#262e36"}

CLOCK = {
    "year": "%Y",
    "quarter": "%b %Y",
    "month": "%b %Y",
    "week": "%a %d",
    "date": "%a %d",
    "day": "%a %d",
    "hours": "%H:%M",
    "minutes": "%H:%M",
    "seconds": "%H:%M:%S",
    "milliseconds": "%H:%M:%S.%L",
}


def theme(dark: bool) -> dict[str, Any]:
    """The Vega-Lite `config` of both modes: calm axes, no frame, a transparent background."""
    ink, palette, heat = (DARK_INK, DARK, DARK_HEAT) if dark else (LIGHT_INK, LIGHT, LIGHT_HEAT)
    return {
        "background": "transparent",
        "font": FONT,
        "padding": 4,
        "view": {"stroke": None},
        "range": {"category": list(palette), "ordinal": list(heat), "ramp": list(heat), "heatmap": list(heat)},
        "title": {"anchor": "start", "color": ink["text"], "fontSize": 13, "fontWeight": 600, "offset": 10},
        "axis": {
            "domainColor": ink["line"],
            "gridColor": ink["faint"],
            "labelColor": ink["quiet"],
            "labelFontSize": 10,
            "tickColor": ink["line"],
            "tickSize": 4,
            "titleColor": ink["quiet"],
            "titleFontSize": 10,
            "titleFontWeight": "normal",
        },
        "axisX": {"grid": False, "labelFlush": False, "labelOverlap": "greedy", "labelSeparation": 6, "tickCount": 8},
        "axisY": {"domain": False, "ticks": False, "tickCount": 4, "labelPadding": 6},
        "legend": {
            "orient": "top",
            "direction": "horizontal",
            "labelColor": ink["text"],
            "labelFontSize": 10,
            "labelLimit": 220,
            "symbolSize": 60,
            "symbolStrokeWidth": 2,
            "titleColor": ink["quiet"],
            "titleFontSize": 10,
            "titleFontWeight": "normal",
            "columnPadding": 14,
            "offset": 6,
        },
        "rule": {"color": ink["quiet"]},
    }
