"""The marks of a chart as SVG elements: lines, areas, bars, ticks, cells and rules, in pixels of the plot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from reports.palette import LIGHT_INK
from reports.scales import Band, Linear
from reports.statistics import Values

Row = Mapping[str, Any]
WHITE = "#fff"


def column(rows: Sequence[Row], field: str) -> Values:
    """A field of every row; null becomes NaN."""
    return np.array([row[field] for row in rows], dtype=np.float64)


def line(x: Values, y: Values) -> str:
    """Path data, broken at NaN; a lone point becomes a dot of the line's round cap."""
    return "".join(_open(x[part], y[part]) for part in _runs(y))


def area(x: Values, low: Values, high: Values) -> str:
    """Path data of the band between two lines, broken where either is NaN."""
    return "".join(
        f"M{_points(x[part], high[part])} {_points(x[part][::-1], low[part][::-1])}Z" for part in _runs(low + high)
    )


def steps(x: Values, y: Values) -> str:
    """Path data of a staircase that keeps each value until the next."""
    return line(np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1])


def stack(x: Values, values: Values, floor: dict[float, float]) -> tuple[Values, Values]:
    """Bottom and top of an area that lies on `floor`, which grows by it; NaN adds nothing and stays NaN."""
    low = np.array([floor.get(at, 0.0) for at in x.tolist()])
    high = low + values
    floor.update((at, top) for at, top in zip(x.tolist(), high.tolist(), strict=True) if top == top)
    return np.where(np.isnan(values), np.nan, low), high


def bins(rows: Sequence[Row], x: Linear, y: Linear, fill: str) -> Iterator[str]:
    """Bars between `from` and `to`, a pixel apart."""
    for row in rows:
        left, right, top = x.at(row["from"]), x.at(row["to"]), y.at(row["share"])
        said = f"{row['from']:.3g} to {row['to']:.3g}: {row['share']:.3g} %"
        yield rectangle(left + 0.5, top, max(right - left - 1, 0.1), y.length - top, fill, said)


def bars(rows: Sequence[Row], x: Linear, y: Band, fill: str) -> Iterator[str]:
    """A flat bar for each name, six tenths of its step high."""
    for row in rows:
        top = y.at(row["name"]) + 0.2 * y.step
        yield rectangle(0, top, x.at(row["value"]), 0.6 * y.step, fill, f"{row['name']}: {row['value']:.3g}")


def marks_at(rows: Sequence[Row], field: str, x: Linear, y: Band, colour: str) -> Iterator[str]:
    """A short upright stroke at each value."""
    for row in rows:
        middle = y.at(row["name"]) + y.step / 2
        yield f'<path d="M{x.at(row[field]):.1f},{middle - 5:.1f}v10" stroke="{colour}" stroke-width="2"/>'


def cells(rows: Sequence[Row], x: Band, y: Band, fields: tuple[str, str], fills: Sequence[str]) -> Iterator[str]:
    """A filled cell for each row, in the colour given with it."""
    across, down = fields
    for row, fill in zip(rows, fills, strict=True):
        said = f"{row[down]}, {row[across]}: {row['value']:.3g}"
        yield rectangle(x.at(row[across]), y.at(row[down]), x.step, y.step, fill, said)


def words(rows: Sequence[Row], x: Band, y: Band, fields: tuple[str, str]) -> Iterator[str]:
    """The value of each cell in its middle, light where the cell is dark."""
    for row in rows:
        across, down = x.at(row[fields[0]]) + x.step / 2, y.at(row[fields[1]]) + y.step / 2 + 3.5
        fill = WHITE if abs(row["value"]) > 0.71 else LIGHT_INK["text"]
        said = f"{row['value']:.2f}".replace("-", "−")
        yield f'<text x="{across:.1f}" y="{down:.1f}" text-anchor="middle" fill="{fill}">{said}</text>'


def upright(rows: Sequence[Row], x: Linear, height: float, colour: str) -> Iterator[str]:
    """A dashed line over the whole height at each moment."""
    for row in rows:
        said = f"<title>{escape(str(row.get('label', '')))}</title>" if row.get("label") else ""
        place = x.at(row["timestamp"])
        stroke = f'stroke="{colour}" stroke-dasharray="4 3"'
        yield f'<path class="mark" d="M{place:.1f},0v{height:g}" {stroke}>{said}</path>'


def rectangle(x: float, y: float, width: float, height: float, fill: str, said: str = "") -> str:
    shape = f'<rect x="{x:.1f}" y="{y:.2f}" width="{width:.1f}" height="{height:.2f}" fill="{fill}"'
    return f"{shape}><title>{escape(said)}</title></rect>" if said else f"{shape}/>"


def _runs(values: Values) -> Iterable[slice]:
    """Stretches without NaN."""
    known = np.concatenate(([False], ~np.isnan(values), [False]))
    edges = np.flatnonzero(known[1:] != known[:-1])
    return [slice(first, last) for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]


def _open(x: Values, y: Values) -> str:
    return f"M{_points(x, y)}" + ("h0" if x.size == 1 else "")


def _points(x: Values, y: Values) -> str:
    return " ".join([f"{a:.1f},{b:.2f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)])
