"""What stands around the marks of a chart: axes, grid, legend, and the drawing's outer element."""

from __future__ import annotations

from html import escape

import numpy as np

from reports.layout import PADDING, Plot, text_width
from reports.palette import FONT, LIGHT_INK
from reports.scales import Band, Linear, number_labels, ticks, time_label, time_ticks

ROW = 17
FAINT, LINE, QUIET, TEXT = (LIGHT_INK[name] for name in ("faint", "line", "quiet", "text"))


def frame(plot: Plot, body: str) -> str:
    """The whole drawing. `data-` attributes tell the page's script where the plot lies and what it spans."""
    top = PADDING + _legend_height(plot)
    height = top + plot.height + _foot(plot)
    width = plot.spec["width"]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' viewBox="0 0 {width:g} {height:g}" font-family="{FONT}" font-size="10" fill="none"{_data(plot)}>'
        f'<g transform="translate({plot.left:.1f},{top:.1f})">{body}</g></svg>'
    )


def _data(plot: Plot) -> str:
    if not (plot.is_over_time and isinstance(plot.x, Linear) and isinstance(plot.y, Linear) and plot.names):
        return ""
    spans = (plot.width, plot.height, plot.x.low, plot.x.high, plot.y.low, plot.y.high)
    return f' data-plot="{" ".join(f"{value:.15g}" for value in spans)}" data-unit="{escape(plot.y_title)}"'


def axes(plot: Plot) -> str:
    """Grid and labels of y, ticks and labels of x, and both titles."""
    return "".join([*_y_axis(plot), *(_x_axis(plot) if plot.has_x_axis else [])])


def _y_axis(plot: Plot) -> list[str]:
    if not plot.has_y_axis:
        return []
    places = [plot.y.at(value) for value in plot.y_ticks] if isinstance(plot.y, Linear) else []
    if isinstance(plot.y, Band):
        places = [plot.y.at(name) + plot.y.step / 2 for name in plot.y.names]
    grid = [f"M0,{round(place) + 0.5}h{plot.width:.1f}" for place in places] if isinstance(plot.y, Linear) else []
    labels = [
        _text(label, -6, place + 3.5, "end") for place, label in zip(places, plot.y_labels, strict=True)
    ]  # fmt: skip
    drawn = [f'<path d="{"".join(grid)}" stroke="{FAINT}"/>'] if grid else []
    return [*drawn, *labels, *_y_title(plot)]


def _y_title(plot: Plot) -> list[str]:
    if not plot.y_title:
        return []
    turned = f'transform="translate({PADDING + 9 - plot.left:.1f},{plot.height / 2:.1f}) rotate(-90)"'
    return [f'<text {turned} text-anchor="middle" fill="{QUIET}">{escape(plot.y_title)}</text>']


def _x_axis(plot: Plot) -> list[str]:
    places = _x_places(plot)
    spread = _thinned(places)
    drawn = [] if isinstance(plot.x, Band) else [_rule(plot, [place for place, _ in places])]
    labels = [_text(label, place, plot.height + 15, "middle") for place, label in spread]
    title = [_text(plot.x_title, plot.width / 2, plot.height + 29, "middle")] if plot.x_title else []
    return [*drawn, f'<g class="x">{"".join(labels)}</g>', *title]


def _rule(plot: Plot, places: list[float]) -> str:
    strokes = "".join(f"M{place:.1f},{plot.height + 0.5:g}v4" for place in places)
    return f'<path class="x" d="M0,{plot.height + 0.5:g}h{plot.width:.1f}{strokes}" stroke="{LINE}"/>'


def _x_places(plot: Plot) -> list[tuple[float, str]]:
    if isinstance(plot.x, Band):
        wanted = plot.x_values or plot.x.names
        return [(plot.x.at(name) + plot.x.step / 2, str(name)) for name in wanted]
    if plot.is_over_time:
        return [(plot.x.at(moment), time_label(moment)) for moment in time_ticks(plot.x.low, plot.x.high)]
    values = ticks(plot.x.low, plot.x.high, 8)
    return list(zip(plot.x.place(np.array(values)).tolist(), number_labels(values), strict=True))


def _thinned(places: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Labels that would touch the one before are left out."""
    kept: list[tuple[float, str]] = []
    edge = -1e9
    for place, label in places:
        half = text_width(label) / 2
        if place - half >= edge + 6:
            kept.append((place, label))
            edge = place + half
    return kept


def legend(plot: Plot) -> str:
    """Names with their colours in rows of up to four, or the shades of a scale with their bounds."""
    if not plot.has_legend:
        return ""
    if plot.names:
        return "".join(_key(plot, name, at) for at, name in enumerate(plot.names))
    low, high, colours = plot.shades
    unit = str(plot.layers[0].encoding["color"].get("title") or "")
    start = text_width(_short(low)) + 6
    squares = [
        f'<rect x="{start + 22 * at:.1f}" y="-19" width="22" height="9" fill="{colour}"/>'
        for at, colour in enumerate(colours)
    ]
    end = start + 22 * len(colours) + 6
    return _text(_short(low), 0, -11) + "".join(squares) + _text(f"{_short(high)} {unit}", end, -11)


def _key(plot: Plot, name: str, at: int) -> str:
    left = at % 4 * plot.width / 4 if len(plot.names) > 3 else at * max(plot.width / 4, 150)
    top = (at // 4) * ROW - _legend_height(plot) + 9
    stroke = f'<path d="M{left:.1f},{top:.1f}h14" stroke="{plot.colour(name)}" stroke-width="3"/>'
    room = max(4, int((plot.width / 4 - 20) / 5.4))
    shown = name if len(name) <= room else name[: room - 1] + "…"
    words = f'<text x="{left + 19:.1f}" y="{top + 3.5:.1f}" fill="{TEXT}">{escape(shown)}</text>'
    return f'<g class="key" data-name="{escape(name)}">{stroke}{words}</g>'


def _legend_height(plot: Plot) -> float:
    if not plot.has_legend:
        return 6
    return (-(-len(plot.names) // 4) * ROW + 8) if plot.names else 24


def _foot(plot: Plot) -> float:
    return (20 if plot.has_x_axis else 0) + (14 if plot.x_title else 0) + PADDING


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _text(text: str, x: float, y: float, anchor: str = "start") -> str:
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{where} fill="{QUIET}">{escape(text)}</text>'
