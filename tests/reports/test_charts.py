"""The chart vocabulary: every specification compiles, gaps are gaps, and nothing in it runs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import vl_convert

from core.catalogue import SYSTEM
from reports import charts, palette

START = 1_767_571_200_000
MINUTE = 60_000
CPU = [SYSTEM.metric(name) for name in ("cpu_user", "cpu_system", "cpu_iowait")]


@dataclass(frozen=True)
class Named:
    name: str
    title: str


def rows(titles: Sequence[str], values: Sequence[float | None]) -> list[charts.Row]:
    return [
        {"timestamp": START + at * MINUTE, "metric": title, "value": value, "min": value, "max": value}
        for title in titles
        for at, value in enumerate(values)
    ]


def draw(spec: charts.Spec, data: Sequence[charts.Row], **options: Any) -> str:
    return charts.to_svg(charts.with_rows(spec, data, start=START, end=START + 10 * MINUTE), **options)


def paths(mark: str, svg: str) -> list[str]:
    """What the marks of that kind draw."""
    return re.findall(rf'class="mark-{mark} [^>]*><path d="([^"]*)"', svg)


def segments(svg: str) -> int:
    """Number of separate line segments drawn."""
    return sum(path.count("M") for path in paths("line", svg))


@pytest.mark.parametrize("interactive", [True, False])
@pytest.mark.parametrize("band", [True, False])
@pytest.mark.parametrize("stacked", [True, False])
def test_every_kind_of_time_series_compiles(stacked: bool, band: bool, interactive: bool) -> None:
    spec = charts.time_series("CPU", "%", CPU, stacked=stacked, band=band, maximum=100, interactive=interactive)
    svg = draw(spec, rows([metric.title for metric in CPU], [1, 2, None, 3]))
    assert svg.startswith("<svg")
    assert palette.LIGHT[0] in svg


def test_a_page_gets_the_rows_by_name_and_the_period_by_parameters() -> None:
    spec = charts.time_series("CPU", "%", CPU)
    assert spec["data"] == {"name": "rows"}
    assert [param["name"] for param in spec["params"]] == ["start", "end"]
    assert spec["encoding"]["x"]["scale"]["domain"] == [{"expr": "start"}, {"expr": "end"}]


def test_a_missing_value_breaks_the_line() -> None:
    spec = charts.time_series("CPU", "%", CPU[:1], interactive=False)
    whole = draw(spec, rows(["CPU user"], [1, 2, 3, 4, 5]))
    broken = draw(spec, rows(["CPU user"], [1, 2, None, 4, 5]))
    assert segments(whole) == 1
    assert segments(broken) == 2


def test_an_empty_period_still_shows_its_range() -> None:
    svg = draw(charts.time_series("CPU", "%", CPU, band=True, utc=True), [])
    assert "00:05" in svg


def test_the_same_specification_gives_the_same_bytes() -> None:
    spec = charts.time_series("CPU", "%", CPU, band=True)
    data = rows([metric.title for metric in CPU], [1, None, 3])
    assert draw(spec, data) == draw(spec, data)


def test_dark_charts_use_the_dark_palette() -> None:
    svg = draw(charts.time_series("CPU", "%", CPU), rows(["CPU user"], [1, 2]), dark=True)
    assert palette.DARK[0] in svg
    assert palette.LIGHT[0] not in svg


@pytest.mark.parametrize("stacked", [True, False])
@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>", "a.b[0]['x']", "'+alert(1)+'", "\u202eevil\\", "日本", ""]
)
def test_a_hostile_name_is_text_in_a_chart(name: str, stacked: bool) -> None:
    spec = charts.time_series(name, name, [Named("x", name), CPU[0]], stacked=stacked)
    svg = draw(spec, rows([name], [1, 2]))
    assert "<script" not in svg


def test_the_smaller_charts_compile() -> None:
    metric = CPU[0]
    draw(charts.histogram("h", "%", metric), [{"from": 0, "to": 5, "share": 100}])
    draw(charts.cumulative("c", "%", metric), [{"value": 0, "share": 0}, {"value": 5, "share": 100}])
    draw(charts.heat_map("m", "%", ["Mon 5"]), [{"day": "Mon 5", "hour": 3, "value": 4}])
    draw(charts.bars("b", "%", ["core 0"], maximum=100), [{"name": "core 0", "value": 4, "p95": 9}])
    draw(charts.sparkline("s"), rows(["CPU user"], [1, None, 2]))


@pytest.mark.parametrize("maximum", [None, 100])
@pytest.mark.parametrize("stacked", [True, False])
def test_specifications_are_plain_json_that_vega_lite_compiles_without_warning(
    stacked: bool, maximum: float | None, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = charts.time_series("CPU", "%", CPU, band=True, stacked=stacked, maximum=maximum)
    full = json.loads(json.dumps({**charts.with_rows(spec, []), "config": charts.theme(False)}))
    vl_convert.vegalite_to_vega(full, vl_version=charts.VEGA_LITE, show_warnings=True)
    assert "WARN" not in "".join(capfd.readouterr())


def test_a_line_of_zeros_lies_on_the_floor() -> None:
    svg = draw(charts.time_series("CPU", "%", CPU[:1], interactive=False, height=200), rows(["CPU user"], [0, 0]))
    (path,) = paths("line", svg)
    assert path.startswith("M0,200")


def test_the_axis_holds_the_whole_band() -> None:
    data = [{**row, "min": 1, "max": 80} for row in rows(["CPU user"], [2, 3, 2])]
    svg = draw(charts.time_series("CPU", "%", CPU[:1], band=True, interactive=False, height=200), data)
    (path,) = paths("area", svg)
    assert min(float(y) for y in re.findall(r",(-?[0-9.]+)", path)) >= 0
