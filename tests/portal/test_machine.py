"""A machine's page: head, period, and what its script is given."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import vl_convert
from django.http import QueryDict
from django_tenants.utils import schema_context

from accounts.models import Role
from collectors.models import Collector
from core.catalogue import DATASETS
from portal import panels, periods
from reports.charts import VEGA_LITE
from tests.cast import Cast

URL = "/machines/server1"


def page_data(cast: Cast, query: str = "") -> Any:
    text = cast.client(Role.VIEWER).get(URL + query).content.decode()
    found = re.search(r'<script id="page-data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize(("name", "hours"), [("15m", 0.25), ("1h", 1), ("24h", 24), ("7d", 168), ("2y", 17520)])
def test_a_range_ends_now_and_follows_the_clock(name: str, hours: float, alpha: Cast) -> None:
    data = page_data(alpha, f"?range={name}")
    assert data["range"] == name
    assert data["ranges"][name] == hours * 3_600_000
    span = datetime.fromisoformat(data["end"]) - datetime.fromisoformat(data["start"])
    assert span == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("age", "name"),
    [
        (timedelta(minutes=2), "15m"),
        (timedelta(minutes=40), "1h"),
        (timedelta(hours=2), "6h"),
        (timedelta(days=9), "6h"),
    ],
)
def test_without_a_range_a_young_machines_life_fills_the_chart(age: timedelta, name: str) -> None:
    now = datetime(2026, 1, 5, tzinfo=UTC)
    assert periods.parse(QueryDict(""), now - age, now).name == name


def test_fixed_instants_do_not_move(alpha: Cast) -> None:
    data = page_data(alpha, "?from=2026-01-01T00:00:00Z&to=2026-01-02T12:00:00%2B02:00")
    assert (data["start"], data["end"]) == ("2026-01-01T00:00:00Z", "2026-01-02T10:00:00Z")
    assert data["range"] == ""


def test_short_ranges_refresh_often_and_long_ones_seldom(alpha: Cast) -> None:
    refresh_s = page_data(alpha)["refresh_s"]
    assert [refresh_s[name] for name in ("1h", "24h", "7d", "90d", "2y")] == [10, 10, 60, 300, 300]


def test_five_open_pages_stay_within_the_limit_of_one_address(alpha: Cast) -> None:
    data = page_data(alpha, "?range=1h")
    others = {*data["metrics"], "events", "annotations", "cores", "processes"} - {"system"}
    per_minute = 60 / data["refresh_s"]["1h"] + len(others) * 60 / data["every_s"]
    assert 5 * per_minute <= 100


@pytest.mark.parametrize(
    "query",
    [
        "?range=5y",
        "?from=yesterday&to=now",
        "?from=2026-01-02T00:00Z&to=2026-01-01T00:00Z",
        "?from=2026-01-01",
        "?from=1900-01-01T00:00Z&to=2026-01-01T00:00Z",
        "?range=%00",
    ],
)
def test_a_period_that_cannot_be_is_refused_in_words(query: str, alpha: Cast) -> None:
    answer = alpha.client(Role.VIEWER).get(URL + query)
    assert answer.status_code == 400
    assert "REQUEST_003" in answer.content.decode()


def test_an_unknown_machine_is_not_found(alpha: Cast) -> None:
    answer = alpha.client(Role.VIEWER).get("/machines/%3Cscript%3E")
    assert answer.status_code == 404
    assert "<script>alert" not in answer.content.decode()


def test_the_script_reads_only_metrics_that_exist(alpha: Cast) -> None:
    data = page_data(alpha)
    for dataset, names in data["metrics"].items():
        assert set(names) <= set(DATASETS[dataset].metric_names)
    for panel in data["panels"].values():
        if panel["dataset"] == "cores":
            continue
        assert {one["name"] for one in panel["series"]} <= set(data["metrics"][panel["dataset"]])


def test_the_script_can_read_what_it_is_told_to(alpha: Cast) -> None:
    data = page_data(alpha, "?from=2026-01-01T00:00Z&to=2026-01-02T00:00Z")
    for dataset, names in data["metrics"].items():
        query = {
            "machine_id": data["machine_id"], "dataset": dataset, "metrics": ",".join(names),
            "start": data["start"], "end": data["end"], "points": data["points"],
        }  # fmt: skip
        assert alpha.client(Role.VIEWER).get(data["addresses"]["series"], query).status_code == 200


def test_hostile_inventory_is_text(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        Collector.objects.update(
            hostname="</script><script>alert(1)</script>",
            inventory={"os": "<img src=x onerror=alert(1)>", "nested": {"a": 1}, "list": [1]},
        )
    text = alpha.client(Role.VIEWER).get(URL).content.decode()
    assert "<img src=x" not in text
    assert "<script>alert" not in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text


def test_only_the_head_is_refreshed_by_the_page(alpha: Cast) -> None:
    text = alpha.client(Role.VIEWER).get(URL, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in text
    assert "page-data" not in text
    assert 'id="head"' in text


def test_a_retired_machine_can_still_be_looked_at(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        Collector.objects.update(active=False)
    assert "retired" in alpha.client(Role.VIEWER).get(URL).content.decode()


@pytest.mark.parametrize("panel", [p for section in panels.SECTIONS for p in section.panels], ids=lambda p: p.key)
def test_every_chart_compiles_and_breaks_where_samples_are_missing(panel: panels.Panel) -> None:
    compiled = json.dumps(vl_convert.vegalite_to_vega(panel.spec(), vl_version=VEGA_LITE))
    assert '"defined"' in compiled
    assert 'isValid(datum[\\"value\\"])' in compiled.replace("\\\\", "\\")


def test_charts_have_names_of_their_own() -> None:
    keys = [panel.key for section in panels.SECTIONS for panel in section.panels]
    assert len(keys) == len(set(keys))
    for section in panels.SECTIONS:
        for panel in section.panels:
            titles = [one.title for one in panel.series]
            assert len(titles) == len(set(titles)), panel.key
