"""The drawings of reports against Vega's own: the same scales, ticks, labels and shapes from the same specification."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from core.catalogue import SYSTEM
from reports import charts, svg
from reports.scales import nice, ticks, time_ticks

START = 1_767_571_200_000
MINUTE = 60_000
CPU = [SYSTEM.metric(name) for name in ("cpu_user", "cpu_system", "cpu_iowait")]
Points = list[tuple[float, float]]


def rows(count: int, top: float = 60, missing: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    dice = np.random.default_rng(count)
    made = []
    for at in range(count):
        for metric in CPU:
            value = None if at in missing else float(dice.gamma(3, top / 12))
            low, high = (None, None) if value is None else (value * 0.7, value * 1.4)
            made.append({"timestamp": START + at * 47 * MINUTE, "metric": metric.title, "value": value})
            made[-1] |= {"min": low, "max": high}
    return made


def filled(spec: charts.Spec, data: list[dict[str, Any]], minutes: float = 47 * 80) -> Mapping[str, Any]:
    return charts.with_rows(spec, data, start=START, end=START + minutes * MINUTE)


def points(path: str) -> Points:
    return [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+(?:e-?\d+)?),(-?[\d.]+(?:e-?\d+)?)", path)]


def ours(drawing: str, kind: str) -> list[Points]:
    """Points of every path of a kind, x as a share of the plot's width."""
    width = plot_width(drawing)
    return [
        [(x / width, y) for x, y in points(path)]
        for path in re.findall(rf'<path class="{kind}"[^>]* d="([^"]*)"', drawing)
    ]


def plot_width(drawing: str) -> float:
    return float(re.findall(r'data-plot="([\d.]+) ', drawing)[0])


def vegas(drawing: str, kind: str) -> list[Points]:
    width = float(re.findall(r'class="background"[^>]* d="M0,0h([\d.]+)v', drawing)[0])
    found = re.findall(rf'class="mark-{kind} [^>]*>(.*?)</g>', drawing)
    return [
        [(x / width, y) for x, y in points(path)] for group in found for path in re.findall(r' d="(M[^"]+)"', group)
    ]


def labels(drawing: str) -> list[str]:
    """Every word of a drawing."""
    return [(element.text or "").strip() for element in ElementTree.fromstring(drawing).iter() if "text" in element.tag]


@pytest.mark.parametrize(("top", "maximum"), [(60, 100), (60, None), (0.02, None), (90_000, None)])
def test_lines_stand_where_vega_draws_them(top: float, maximum: float | None) -> None:
    spec = filled(
        charts.time_series("CPU", "%", CPU, maximum=maximum, utc=True, interactive=False), rows(80, top, (9, 40))
    )
    found, wanted = ours(svg.draw(spec), "line"), vegas(charts.to_svg(dict(spec)), "line")
    assert len(found) == len(wanted) == 3
    for line, other in zip(found, wanted, strict=True):
        assert np.array(line) == pytest.approx(np.array(other), abs=0.02)


@pytest.mark.parametrize("stacked", [True, False])
def test_areas_cover_what_vega_covers(stacked: bool) -> None:
    metrics = CPU if stacked else CPU[:1]
    data = [row for row in rows(80) if row["metric"] in {metric.title for metric in metrics}]
    spec = filled(
        charts.time_series("CPU", "%", metrics, stacked=stacked, band=True, utc=True, interactive=False), data
    )
    found, wanted = ours(svg.draw(spec), "area"), vegas(charts.to_svg(dict(spec)), "area")
    assert len(found) == len(wanted)
    for shape, other in zip(found, wanted, strict=True):
        assert np.sort(np.array(shape), axis=0) == pytest.approx(np.sort(np.array(other), axis=0), abs=0.02)


@pytest.mark.parametrize("minutes", [3, 50, 400, 1440, 4000, 10_080, 30_000, 130_000, 900_000])
def test_the_time_axis_has_vegas_labels(minutes: float) -> None:
    spec = filled(charts.time_series("", "", CPU[:1], utc=True, interactive=False, maximum=1), [], minutes)
    assert set(labels(svg.draw(spec))) <= set(labels(charts.to_svg(dict(spec))))
    assert len(time_ticks(START, START + minutes * MINUTE)) >= 2


@pytest.mark.parametrize("top", [0.004, 0.7, 9, 33, 101, 4_321, 98_765])
def test_the_value_axis_has_vegas_labels(top: float) -> None:
    data = [{"timestamp": START + at * MINUTE, "metric": "CPU user", "value": top * at} for at in range(2)]
    spec = filled(charts.time_series("", "MB", CPU[:1], utc=True, interactive=False), data, 1)
    found, wanted = set(labels(svg.draw(spec))), set(labels(charts.to_svg(dict(spec))))
    assert {label for label in found ^ wanted if ":" not in label} == set()


def test_a_histogram_and_a_heat_map_agree_with_vega() -> None:
    bins = [{"from": at * 2.5, "to": at * 2.5 + 2.5, "share": 10.0 * at} for at in range(5)]
    drawing, other = (draw(filled(charts.histogram("h", "%", CPU[0]), bins)) for draw in (svg.draw, vega))
    assert drawing.count("<rect") == 5
    assert set(labels(drawing)) <= set(labels(other))
    heat = [{"day": day, "hour": hour, "value": hour * 4.0} for day in ("Mon", "Tue") for hour in range(24)]
    drawing, other = (draw(filled(charts.heat_map("m", "%", ["Mon", "Tue"]), heat)) for draw in (svg.draw, vega))
    (cells,) = re.findall(r'class="mark-rect role-mark.*?</g>', other)
    assert re.findall(r'height="65.00" fill="([^"]+)"', drawing) == re.findall(r'fill="([^"]+)"', cells)


def vega(spec: Mapping[str, Any]) -> str:
    return charts.to_svg(dict(spec))


@pytest.mark.parametrize("name", ["</text><script>alert(1)</script>", '" onload="alert(1)', "a&b", "日本"])
def test_a_hostile_name_is_text_in_a_drawing(name: str) -> None:
    data = [{"name": name, "value": 4, "p95": 9}]
    root = ElementTree.fromstring(svg.draw(filled(charts.bars("b", "%", [name], maximum=100), data)))
    assert name in [element.text for element in root.iter()]
    assert all(
        element.tag.rpartition("}")[2] in {"svg", "g", "path", "text", "rect", "title"} for element in root.iter()
    )
    assert all(not key.startswith("on") for element in root.iter() for key in element.attrib)


def test_a_lone_sample_between_gaps_is_a_dot() -> None:
    data = [row for row in rows(5, missing=(1, 3)) if row["metric"] == "CPU user"]
    drawing = svg.draw(filled(charts.time_series("", "%", CPU[:1], utc=True, interactive=False), data))
    (path,) = re.findall(r'class="line"[^>]* d="([^"]*)"', drawing)
    assert path.count("h0") == path.count("M") == 3


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0, 1, 4) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert ticks(0, 0, 4) == []
    assert nice(0, 0.93) == (0, 1)
    assert nice(0, 12_345) == (0, 13_000)
