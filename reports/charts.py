"""The chart vocabulary of the portal and of reports: plain Vega-Lite specifications as dictionaries.

Every chart reads the rows named `rows`, which the caller fills in: the page through the Vega view, a report with
`with_rows`. No specification holds an expression that needs `eval`: they run under Vega's own interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import vl_convert

from reports.palette import CLOCK, DARK, LIGHT, LIGHT_DIVERGING
from reports.palette import theme as theme  # pages find it here

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
VEGA_LITE = "6.4"
ROWS = "rows"
Spec = dict[str, Any]
Row = Mapping[str, Any]


class Series(Protocol):
    """What a chart needs to know of a metric; `core.catalogue.Metric` is one."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...


def time_series(
    title: str,
    unit: str,
    metrics: Sequence[Series],
    *,
    stacked: bool = False,
    band: bool = False,
    maximum: float | None = None,
    height: int = 200,
    utc: bool = False,
    interactive: bool = True,
) -> Spec:
    """Values over time, a line or stacked area a metric.

    Rows: `timestamp` (ms since the epoch, UTC), `metric` (its title), `value` (null breaks the line), and with `band`
    also `min` and `max`. The x axis covers the parameters `start` and `end` (ms), rows or none; it shows the reader's
    own time, or UTC with `utc`. `interactive` adds the tooltip at the nearest moment and legend toggling.
    """
    names = [metric.title for metric in metrics]
    shared = {"x": _time(utc), "color": _colour(names)}
    layers = _areas(unit, maximum, names) if stacked else _lines(unit, maximum, band)
    if interactive:
        layers = [_toggled(layer) for layer in layers]
        layers[0]["params"] = [_legend_toggle()]
        layers.append(_nearest(names, unit, utc))
    if maximum is None:
        layers.append(_height_at_least(0.01, unit))
    return {
        **_chart(title, _describe(title, unit, names), height),
        "params": [{"name": "start", "value": 0}, {"name": "end", "value": 1}],
        "encoding": shared,
        "layer": layers,
    }


def over_day(title: str, unit: str, metrics: Sequence[Series], *, height: int = 130) -> Spec:
    """Lines over the hours of one day. Rows: `hour` (0 to 24), `metric` (its title), `value`."""
    hour = {"field": "hour", "type": "quantitative", "title": "hour of day", "scale": {"domain": [0, 24]}}
    return {
        **_chart(title, f"{title}, by hour of the day.", height),
        "mark": _line(),
        "encoding": {"x": hour, "y": _value(unit, None), "color": _colour([metric.title for metric in metrics])},
    }


WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def over_week(title: str, unit: str, metrics: Sequence[Series], *, height: int = 200) -> Spec:
    """Lines over the hours of one week. Rows: `hour` (0 to 168, from Monday 00:00), `metric` (its title), `value`."""
    names = [metric.title for metric in metrics]
    days = f"{_literal(WEEK)}[floor(datum.value / 24) % 7]"
    axis = {"values": list(range(0, 168, 24)), "labelExpr": days, "labelAlign": "left", "grid": True}
    hour = {"field": "hour", "type": "quantitative", "title": None, "scale": {"domain": [0, 168]}, "axis": axis}
    return {
        **_chart(title, f"{title}, by hour of the week: {', '.join(names)}.", height),
        "mark": _line(),
        "encoding": {"x": hour, "y": _value(unit, None), "color": _colour(names)},
    }


def histogram(title: str, unit: str, metric: Series, *, height: int = 150) -> Spec:
    """How often each value occurred. Rows: `from`, `to` (bounds in the unit) and `share` (percent of samples)."""
    return {
        **_chart(title, f"{title}: share of samples by {metric.title}.", height),
        "mark": {"type": "bar", "color": {"expr": "ink"}, "binSpacing": 1},
        "params": [_ink()],
        "encoding": {
            "x": {"field": "from", "bin": {"binned": True}, "type": "quantitative", "title": _titled(metric, unit)},
            "x2": {"field": "to"},
            "y": {"field": "share", "type": "quantitative", "title": "samples, %"},
            "tooltip": [{"field": name, "type": "quantitative", "format": ".3~g"} for name in ("from", "to", "share")],
        },
    }


def cumulative(title: str, unit: str, metric: Series, *, height: int = 150) -> Spec:
    """Empirical distribution. Rows: `value` (in the unit) and `share` (percent of samples at or below it)."""
    return {
        **_chart(title, f"{title}: share of samples at or below each value of {metric.title}.", height),
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.6, "color": {"expr": "ink"}},
        "params": [_ink()],
        "encoding": {
            "x": {"field": "value", "type": "quantitative", "title": _titled(metric, unit)},
            "y": {"field": "share", "type": "quantitative", "title": "at or below, %", "scale": {"domain": [0, 100]}},
        },
    }


def heat_map(title: str, unit: str, days: Sequence[str], *, height: int = 130) -> Spec:
    """A value by day and hour. Rows: `day` (one of `days`), `hour` (0 to 23), `value`; a missing cell is empty."""
    return {
        **_chart(title, f"{title}: mean by day and hour of day.", height),
        "mark": {"type": "rect", "tooltip": True},
        "encoding": {
            "x": {
                "field": "hour",
                "type": "ordinal",
                "title": "hour of day",
                "scale": {"domain": list(range(24))},
                "axis": {"labelAngle": 0, "values": list(range(0, 24, 3)), "domain": False, "ticks": False},
            },
            "y": {
                "field": "day",
                "type": "ordinal",
                "title": None,
                "scale": {"domain": list(days)},
                "axis": {"domain": False, "ticks": False},
            },
            "color": {
                "field": "value",
                "type": "quantitative",
                "title": unit,
                "scale": {"type": "quantize", "zero": True},
                "legend": {"format": ".3~g", "type": "symbol", "symbolType": "square"},
            },
        },
    }


def core_map(title: str) -> Spec:
    """Busy percent over time, a row of cells a core. Rows: `timestamp` and `until` (ms), `row` and `next`, `value`.

    The axes cover the parameters `start` and `end` (ms) and `rows`; a row stands for `cores_per_row` cores.
    """
    whole = "datum.value == floor(datum.value) && datum.value < rows ? datum.value * cores_per_row : ''"
    axis = {"labelExpr": whole, "grid": False}
    core = {"type": "quantitative", "title": None, "scale": {"domain": [0, {"expr": "rows"}], "reverse": True}}
    shade = {
        "field": "value",
        "type": "quantitative",
        "scale": {"type": "quantize", "domain": [0, 100]},
        "legend": None,
    }
    given = [("start", 0), ("end", 1), ("rows", 1), ("cores_per_row", 1)]
    return {
        **_chart("", f"{title}: busy percent of each core over time.", 170),
        "params": [{"name": name, "value": value} for name, value in given],
        "mark": {"type": "rect", "clip": True, "strokeWidth": 0.6},
        "encoding": {
            "x": _time(utc=False),
            "x2": {"field": "until", "type": "temporal"},
            "y": {"field": "row", **core, "axis": axis},
            "y2": {"field": "next"},
            "fill": shade,
            "stroke": shade,
        },
    }


def matrix(title: str, names: Sequence[str]) -> Spec:
    """Correlation of each pair, from −1 to 1. Rows: `first` (a name), `second` (the number of one), `value`.

    Columns carry the numbers that begin the names of the rows.
    """
    shades = {"type": "quantize", "domain": [-1, 1], "range": list(LIGHT_DIVERGING)}
    numbers = [str(at + 1) for at in range(len(names))]
    quiet = {"domain": False, "ticks": False}
    return {
        **_chart(title, f"{title}: rank correlation of every pair.", 20 * len(names)),
        "encoding": {
            "x": {
                "field": "second",
                "type": "ordinal",
                "title": None,
                "scale": {"domain": numbers},
                "axis": {**quiet, "labelAngle": 0},
            },
            "y": {"field": "first", "type": "ordinal", "title": None, "scale": {"domain": list(names)}, "axis": quiet},
        },
        "layer": [
            {
                "mark": {"type": "rect", "tooltip": True},
                "encoding": {"color": {"field": "value", "type": "quantitative", "title": "", "scale": shades}},
            },
            {"mark": {"type": "text"}, "encoding": {"text": {"field": "value", "format": ".2f"}}},
        ],
    }


def marked(spec: Spec, moments: Sequence[Row]) -> Spec:
    """The chart over time with a dashed line at each moment. Moments: `timestamp` (ms) and `label`."""
    rule = {
        "data": {"values": list(moments)},
        "mark": {"type": "rule", "color": LIGHT[-2], "strokeDash": [4, 3], "tooltip": {"content": "data"}},
        "encoding": {"x": {"field": "timestamp", "type": "temporal"}, "color": {"value": LIGHT[-2]}},
    }
    return {**spec, "layer": [*spec["layer"], rule]}


def bars(title: str, unit: str, names: Sequence[str], *, maximum: float | None = None) -> Spec:
    """One bar an instance (a core, a device), with its p95 as a tick. Rows: `name`, `value`, `p95`."""
    domain = {"domain": [0, maximum]} if maximum is not None else {"zero": True}
    shared = {"y": {"field": "name", "type": "ordinal", "title": None, "scale": {"domain": list(names)}}}
    value = {"field": "value", "type": "quantitative", "title": f"mean (bar) and p95 (tick), {unit}", "scale": domain}
    return {
        **_chart(title, f"{title}: mean and 95th percentile each.", max(40, 13 * len(names))),
        "params": [_ink(), _ink("accent", 1)],
        "encoding": shared,
        "layer": [
            {"mark": {"type": "bar", "color": {"expr": "ink"}, "height": {"band": 0.6}}, "encoding": {"x": value}},
            {
                "mark": {"type": "tick", "color": {"expr": "accent"}, "thickness": 2, "height": 10},
                "encoding": {"x": {**value, "field": "p95"}},
            },
        ],
    }


def sparkline(description: str, *, height: int = 28, maximum: float | None = None) -> Spec:
    """A line without axes. Rows: `timestamp` (ms) and `value`; null breaks the line."""
    scale = {"domain": [0, maximum]} if maximum is not None else {"zero": True}
    return {
        **_chart("", description, height),
        "params": [{"name": "start", "value": 0}, {"name": "end", "value": 1}, _ink()],
        "mark": _line({"expr": "ink"}),
        "encoding": {
            "x": {**_time(utc=True), "axis": None},
            "y": {"field": "value", "type": "quantitative", "axis": None, "scale": scale},
        },
    }


def with_rows(spec: Spec, rows: Sequence[Row], *, start: float = 0, end: float = 1, width: int = 660) -> Spec:
    """The specification with its rows inside, a fixed width in pixels and the period (ms) of its time axis."""
    values = {"start": start, "end": end}
    given = [{**param, "value": values.get(param["name"], param.get("value"))} for param in spec.get("params", [])]
    return {**spec, "width": width, "data": {"name": ROWS, "values": list(rows)}, "params": given}


def to_svg(spec: Spec, dark: bool = False) -> str:
    """The chart as Vega draws it, as SVG text: what `reports.svg` is tested against. Nothing is fetched.

    Marks carry no labels of their own: a drawing stands with its description, and is a tenth quicker without.
    """
    themed = {
        **spec,
        "config": {**theme(dark), "aria": False},
        "params": [_inked(param, dark) for param in spec.get("params", [])],
    }
    svg: str = vl_convert.vegalite_to_svg(themed, vl_version=VEGA_LITE, allowed_base_urls=[])
    return svg


def _chart(title: str, description: str, height: int) -> Spec:
    head: Spec = {"$schema": SCHEMA, "description": description, "width": "container", "height": height}
    if title:
        head["title"] = title
    return {**head, "data": {"name": ROWS}, "autosize": {"type": "fit-x", "contains": "padding"}}


def _describe(title: str, unit: str, names: Sequence[str]) -> str:
    of = f" in {unit}" if unit else ""
    return f"{title}{of} over time: {', '.join(names)}. Gaps in the lines are times without measurements."


def _titled(metric: Series, unit: str) -> str:
    return f"{metric.title}, {unit}" if unit else metric.title


def _time(utc: bool) -> Spec:
    scale = {"type": "utc" if utc else "time", "domain": [{"expr": "start"}, {"expr": "end"}], "nice": False}
    return {"field": "timestamp", "type": "temporal", "title": None, "scale": scale, "axis": {"format": CLOCK}}


def _value(unit: str, maximum: float | None) -> Spec:
    domain = {"domain": [0, maximum]} if maximum is not None else {"zero": True, "nice": True}
    return {"field": "value", "type": "quantitative", "title": unit or None, "scale": domain}


def _height_at_least(least: float, unit: str) -> Spec:
    """An invisible mark that keeps a line of zeros on the floor; an axis from 0 to 0 would lift it to the middle."""
    height = {"datum": least, "type": "quantitative", "title": unit or None}
    return {
        "data": {"values": [{}]},
        "mark": {"type": "point", "opacity": 0, "tooltip": False, "aria": False},
        "encoding": {"x": {"value": 0}, "y": height, "color": {"value": "gray"}},
    }


def _colour(names: Sequence[str]) -> Spec:
    legend = {"title": None, "columns": 4, "symbolOpacity": 1} if len(names) > 1 else None
    return {"field": "metric", "type": "nominal", "scale": {"domain": list(names)}, "legend": legend}


def _line(color: Spec | None = None) -> Spec:
    """Round caps draw a lone sample between two gaps as a dot."""
    mark = {
        "type": "line",
        "strokeWidth": 1.4,
        "strokeCap": "round",
        "strokeJoin": "round",
        "invalid": "break-paths-show-path-domains",
    }
    return {**mark, "color": color} if color else mark


def _lines(unit: str, maximum: float | None, band: bool) -> list[Spec]:
    line: Spec = {"mark": _line(), "encoding": {"y": _value(unit, maximum), "opacity": {"value": 1}}}
    if not band:
        return [line]
    extent = {"y": {**_value(unit, maximum), "field": "min"}, "y2": {"field": "max"}, "opacity": {"value": 0.22}}
    shade = {"type": "area", "invalid": "break-paths-show-path-domains", "line": False}
    return [{"mark": shade, "encoding": extent}, line]


def _areas(unit: str, maximum: float | None, names: Sequence[str]) -> list[Spec]:
    """The first metric lies at the bottom."""
    value = {**_value(unit, maximum), "stack": "zero"}
    rank = {"field": "rank", "type": "quantitative"}
    return [
        {
            "mark": {"type": "area", "invalid": "break-paths-show-path-domains", "line": False},
            "transform": [{"calculate": f"indexof({_literal(names)}, datum.metric)", "as": "rank"}],
            "encoding": {"y": value, "order": rank, "opacity": {"value": 0.85}},
        }
    ]


def _literal(names: Sequence[str]) -> str:
    """A Vega expression's array of strings; every character but letters, digits and blanks is escaped."""
    escaped = (re.sub(r"[^A-Za-z0-9 ]", lambda hit: _unicode_escape(hit.group()), name) for name in names)
    return "[" + ", ".join(f"'{name}'" for name in escaped) + "]"


def _unicode_escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _legend_toggle() -> Spec:
    return {"name": "shown", "select": {"type": "point", "fields": ["metric"], "toggle": "true"}, "bind": "legend"}


def _toggled(layer: Spec) -> Spec:
    """The layer, faint where its metric is not picked in the legend."""
    opacity = layer["encoding"]["opacity"]["value"]
    picked = {"condition": {"param": "shown", "value": opacity}, "value": opacity / 10}
    return {**layer, "encoding": {**layer["encoding"], "opacity": picked}}


def _nearest(names: Sequence[str], unit: str, utc: bool) -> Spec:
    """A rule at the nearest moment, with the value of every metric there."""
    moment = {"field": "timestamp", "type": "temporal", "title": "time", "format": "%Y-%m-%d %H:%M:%S"}
    if utc:
        moment["timeUnit"] = "utcyearmonthdatehoursminutesseconds"
    suffix = f" ({unit})" if unit else ""
    values = [
        {"field": _field(name), "type": "quantitative", "title": name + suffix, "format": ",.4~r"} for name in names
    ]
    hover = {"type": "point", "fields": ["timestamp"], "nearest": True, "on": "pointermove", "clear": "pointerout"}
    shown = {"condition": {"param": "hover", "value": 0.5, "empty": False}, "value": 0}
    return {
        "transform": [{"pivot": "metric", "value": "value", "groupby": ["timestamp"]}],
        "mark": {"type": "rule", "strokeWidth": 1},
        "params": [{"name": "hover", "select": hover}],
        "encoding": {"color": {"value": "gray"}, "opacity": shown, "tooltip": [moment, *values]},
    }


def _field(name: str) -> str:
    """A field's name in Vega-Lite, where dots, brackets, quotes and backslashes mean a path."""
    return re.sub(r"([\\.\[\]'\"])", r"\\\1", name)


def _ink(name: str = "ink", index: int = 0) -> Spec:
    return {"name": name, "value": LIGHT[index]}


def _inked(param: Spec, dark: bool) -> Spec:
    """A colour parameter in the palette of the mode."""
    value = param.get("value")
    return {**param, "value": DARK[LIGHT.index(value)]} if dark and value in LIGHT else param
