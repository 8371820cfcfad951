"""Draws the specifications of `reports.charts` as SVG, in about a millisecond each and without a browser engine.

The specification stays the one description of a chart: pages draw it with Vega, a report with this module, which reads
the part of Vega-Lite that `reports.charts` writes. The tests hold both drawings against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from reports import marks
from reports.axes import axes, frame, legend
from reports.layout import Layer, Plot
from reports.marks import Row
from reports.palette import LIGHT
from reports.scales import Band, Linear

_STROKE = 'stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round"'


def draw(spec: Mapping[str, Any]) -> str:
    """The chart in light colours; the same specification gives the same bytes."""
    plot = Plot(spec)
    body = "".join(_layer(plot, layer) for layer in plot.layers)
    return frame(plot, axes(plot) + legend(plot) + f'<g class="marks">{body}</g>')


def _layer(plot: Plot, layer: Layer) -> str:
    kind = layer.mark["type"]
    if kind in ("line", "area") and isinstance(plot.x, Linear) and isinstance(plot.y, Linear):
        return _series(plot, layer, plot.x, plot.y)
    if kind == "rule" and isinstance(plot.x, Linear):
        return "".join(marks.upright(layer.rows, plot.x, plot.height, _colour(plot, layer)))
    return "".join(_shapes(plot, layer, kind))


def _series(plot: Plot, layer: Layer, x: Linear, y: Linear) -> str:
    """A path for each line or area: of each metric, or the only one of a chart without metrics."""
    if not plot.names:
        return _path(layer, layer.rows, x, y, _colour(plot, layer), "", {})
    parts: dict[str, list[Row]] = {name: [] for name in plot.names}
    for row in layer.rows:
        parts[row["metric"]].append(row)
    floor: dict[float, float] = {}
    return "".join(_path(layer, rows, x, y, plot.colour(name), name, floor) for name, rows in parts.items() if rows)


def _path(
    layer: Layer, rows: Sequence[Row], x: Linear, y: Linear, colour: str, name: str, floor: dict[float, float]
) -> str:
    across = marks.column(rows, layer.field("x") or "")
    up = marks.column(rows, layer.field("y") or "")
    named = f'data-name="{escape(name)}" ' if name else ""
    if layer.mark["type"] == "line":
        trace = marks.steps if layer.mark.get("interpolate") == "step-after" else marks.line
        drawn = trace(x.place(across), y.place(up))
        return f'<path class="line" {named}d="{drawn}" stroke="{colour}" {_STROKE}/>'
    if layer.encoding["y"].get("stack"):
        low, high = marks.stack(across, up, floor)
    else:
        low, high = marks.column(rows, layer.field("y2") or ""), up
    shape = marks.area(x.place(across), y.place(low), y.place(high))
    opacity = layer.encoding.get("opacity", {}).get("value", 1)
    return f'<path class="area" {named}d="{shape}" fill="{colour}" fill-opacity="{opacity}"/>'


def _shapes(plot: Plot, layer: Layer, kind: str) -> Sequence[str]:
    x, y = plot.x, plot.y
    if kind == "bar" and isinstance(x, Linear) and isinstance(y, Linear):
        return list(marks.bins(layer.rows, x, y, _colour(plot, layer)))
    if kind == "bar" and isinstance(x, Linear) and isinstance(y, Band):
        return list(marks.bars(layer.rows, x, y, _colour(plot, layer)))
    if kind == "tick" and isinstance(x, Linear) and isinstance(y, Band):
        return list(marks.marks_at(layer.rows, layer.encoding["x"]["field"], x, y, _colour(plot, layer)))
    if kind == "rect" and isinstance(x, Band) and isinstance(y, Band):
        fields = (layer.encoding["x"]["field"], layer.encoding["y"]["field"])
        return list(marks.cells(layer.rows, x, y, fields, [plot.shade(row["value"]) for row in layer.rows]))
    if kind == "text" and isinstance(x, Band) and isinstance(y, Band):
        return list(marks.words(layer.rows, x, y, ("second", "first")))
    return []


def _colour(plot: Plot, layer: Layer) -> str:
    given = layer.mark.get("color")
    return str(plot.params[given["expr"]] if isinstance(given, Mapping) else given or LIGHT[-1])
