"""analysis.series and analysis.fleet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import schema_context

from analysis import fleet, series
from core.catalogue import DATASETS, SYSTEM
from tests import samples
from tests.cast import Cast


def read(cast: Cast, start: datetime, end: datetime, points: int = 500, dataset: str = "system") -> series.Series:
    metrics = {"system": ["cpu_user"], "disks": ["util"]}[dataset]
    with schema_context(cast.schema):
        request = series.Request(cast.collector().pk, DATASETS[dataset], metrics, start, end, points)
        return series.read(request, datetime.now(UTC))


def test_a_short_range_is_the_samples_themselves(alpha: Cast) -> None:
    start = samples.recent(1)
    samples.upload(alpha, {"timestamp": samples.minutes(start, 30), "cpu_user": [float(i) for i in range(30)]})
    found = read(alpha, start, start + timedelta(minutes=30))
    assert (found.step_s, found.interval_s, found.samples) == (None, 60.0, 30)
    (columns,) = found.columns
    assert columns.mean["cpu_user"] == [float(i) for i in range(30)]
    assert columns.timestamps[0] == int(start.timestamp() * 1000)
    assert not columns.minimum


def test_the_range_is_half_open(alpha: Cast) -> None:
    start = samples.recent(1)
    samples.upload(alpha, {"timestamp": samples.minutes(start, 3), "cpu_user": [1.0, 2.0, 3.0]})
    assert read(alpha, start, start + timedelta(minutes=2)).samples == 2


def test_a_gap_of_more_than_two_intervals_is_a_gap(alpha: Cast) -> None:
    start = samples.recent(2)
    moments = samples.minutes(start, 10) + samples.minutes(start + timedelta(minutes=30), 10)
    samples.upload(alpha, {"timestamp": moments, "cpu_user": [1.0] * 20})
    found = read(alpha, start, start + timedelta(minutes=40))
    assert found.gaps == [(start + timedelta(minutes=9), start + timedelta(minutes=30))]
    values = found.columns[0].mean["cpu_user"]
    assert values[10] is None
    assert values.count(None) == 1
    assert found.coverage == pytest.approx(20 / 40, abs=0.02)


def test_one_late_sample_is_no_gap(alpha: Cast) -> None:
    start = samples.recent(1)
    moments = samples.minutes(start, 5) + samples.minutes(start + timedelta(minutes=6), 5)
    samples.upload(alpha, {"timestamp": moments, "cpu_user": [1.0] * 10})
    assert read(alpha, start, start + timedelta(minutes=11)).gaps == []


def test_a_long_range_keeps_the_peaks_and_the_gaps(alpha: Cast) -> None:
    start = samples.recent(24)
    moments = samples.minutes(start, 600) + samples.minutes(start + timedelta(minutes=800), 600)
    values = [10.0] * 1200
    values[100] = 99.0
    samples.upload(alpha, {"timestamp": moments, "cpu_user": values})
    found = read(alpha, start, start + timedelta(hours=24), points=100)
    assert found.step_s == 15 * 60
    (columns,) = found.columns
    assert max(v for v in columns.maximum["cpu_user"] if v) == 99.0
    assert max(v for v in columns.mean["cpu_user"] if v) < 20
    assert columns.mean["cpu_user"].count(None) == 1
    assert len(columns.timestamps) == len(columns.mean["cpu_user"]) == len(columns.minimum["cpu_user"])
    assert columns.timestamps == sorted(columns.timestamps)


def test_jitter_makes_no_false_gaps_in_buckets(alpha: Cast) -> None:
    start = samples.recent(10)
    moments = [m + timedelta(seconds=(-1) ** i * 7) for i, m in enumerate(samples.minutes(start, 590))]
    samples.upload(alpha, {"timestamp": moments, "cpu_user": [1.0] * 590})
    found = read(alpha, start - timedelta(minutes=1), start + timedelta(hours=10), points=150)
    assert None not in found.columns[0].mean["cpu_user"]


def test_a_missing_value_is_null_and_not_zero(alpha: Cast) -> None:
    start = samples.recent(1)
    samples.upload(alpha, {"timestamp": samples.minutes(start, 3), "cpu_user": [1.0, None, 3.0]})
    assert read(alpha, start, start + timedelta(minutes=3)).columns[0].mean["cpu_user"] == [1.0, None, 3.0]


def test_devices_come_apart(alpha: Cast) -> None:
    start = samples.recent(1)
    columns: dict[str, list[Any]] = {"timestamp": [start, start], "device": ["sda", "sdb"], "util": [1.0, 2.0]}
    samples.upload(alpha, columns, dataset="disks")
    found = read(alpha, start, start + timedelta(minutes=1), dataset="disks")
    assert [(c.instance, c.mean["util"]) for c in found.columns] == [("sda", [1.0]), ("sdb", [2.0])]
    assert found.samples == 1


def test_an_empty_range_has_no_coverage(alpha: Cast) -> None:
    start = samples.recent(1)
    found = read(alpha, start, start + timedelta(minutes=1))
    assert (found.columns, found.coverage, found.gaps) == ([], None, [])


def test_a_machine_that_fell_silent_ends_in_a_gap(alpha: Cast) -> None:
    start = samples.recent(3)
    samples.upload(alpha, {"timestamp": samples.minutes(start, 60), "cpu_user": [1.0] * 60})
    found = read(alpha, start, start + timedelta(hours=2))
    assert found.gaps == [(start + timedelta(minutes=59), start + timedelta(hours=2))]
    assert found.coverage == pytest.approx(0.5, abs=0.02)


def test_fleet_has_the_newest_sample_and_a_sparkline_with_fixed_queries(alpha: Cast) -> None:
    now = datetime.now(UTC)
    start = now.replace(second=0, microsecond=0) - timedelta(minutes=5)
    columns: dict[str, list[Any]] = {
        "timestamp": samples.minutes(start, 5),
        "cpu_idle": [90.0, 90.0, 90.0, 90.0, 60.0],
        "mem_used_mb": [512.0] * 5,
        "mem_total_mb": [1024.0] * 5,
    }
    samples.upload(alpha, columns)
    with schema_context("alpha"), CaptureQueriesContext(connection) as queries:
        (machine,) = fleet.machines(now)
    assert (machine.state, machine.cpu_percent, machine.memory_percent) == ("live", 40.0, 50.0)
    assert len(machine.spark) == 48
    assert machine.spark[-1] == pytest.approx(16.0)
    assert machine.spark[0] is None
    assert len([q for q in queries if "SET search_path" not in q["sql"]]) == 3


def test_every_fleet_column_is_in_the_catalogue() -> None:
    assert set(fleet.COLUMNS) <= set(SYSTEM.metric_names)
