"""analysis.series and analysis.fleet."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import schema_context

from analysis import fleet, months, partitions, rollups, rollups_tables, series, series_hourly
from analysis.rollups import Span
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


def varied(hours: int, start: datetime) -> tuple[list[datetime], list[float | None]]:
    """Samples with gaps of minutes and hours, so that hours have different counts."""
    moments = [
        moment
        for at, moment in enumerate(samples.minutes(start, hours * 60))
        if at % 97 < 80 and not 300 <= at % 1000 < 500
    ]
    return moments, [None if at % 11 == 5 else float(at * 37 % 101) for at in range(len(moments))]


def by_hand(
    moments: list[datetime], values: list[float | None], step_s: float
) -> dict[int, tuple[float, float, float]]:
    """Bucket (ms) → mean, minimum, maximum."""
    buckets: dict[int, list[float]] = {}
    origin = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
    for moment, value in zip(moments, values, strict=True):
        if value is not None:
            bucket = origin + (int(moment.timestamp()) - origin) // int(step_s) * int(step_s)
            buckets.setdefault(bucket * 1000, []).append(value)
    return {bucket: (sum(found) / len(found), min(found), max(found)) for bucket, found in buckets.items()}


def assert_same_as_the_raw_samples(cast: Cast, moments: list[datetime], values: list[float | None]) -> series.Series:
    start, end = moments[0] - timedelta(minutes=7), moments[-1] + timedelta(minutes=1)
    found = read(cast, start, end, points=20)
    raw = read(cast, start, end, points=5000)
    assert (found.source, raw.source) == ("rollup", "raw")
    assert (found.samples, found.interval_s) == (len(moments), raw.interval_s)
    assert found.coverage == pytest.approx(raw.coverage)
    assert found.gaps == raw.gaps
    (columns,) = found.columns
    drawn = {
        bucket: one
        for bucket, *one in zip(
            columns.timestamps, *(kind["cpu_user"] for kind in (columns.mean, columns.minimum, columns.maximum)),
            strict=True,
        )
        if one[0] is not None
    }  # fmt: skip
    wanted = by_hand(moments, values, found.step_s or 0)
    assert list(drawn) == list(wanted)
    for bucket, one in wanted.items():
        assert drawn[bucket] == pytest.approx(one, rel=1e-6)
    return found


def refresh(cast: Cast) -> None:
    with schema_context(cast.schema):
        rollups.refresh(datetime.now(UTC))


def mark(cast: Cast, moments: list[datetime]) -> None:
    with schema_context(cast.schema):
        rollups.mark_stale([Span(cast.collector().pk, moments[0], moments[-1])], datetime.now(UTC))


def test_roll_ups_answer_as_the_raw_samples_do(alpha: Cast) -> None:
    """Trap 37: a mean of means would be wrong here, since the hours have different counts."""
    moments, values = varied(70, samples.recent(71))
    samples.upload(alpha, {"timestamp": moments, "cpu_user": values})
    mark(alpha, moments)
    refresh(alpha)
    found = assert_same_as_the_raw_samples(alpha, moments, values)
    assert found.step_s == 4 * 3600
    assert max(v for v in found.columns[0].p95["cpu_user"] if v) <= 100


def test_roll_ups_answer_the_same_while_they_are_behind_or_late_data_waits(alpha: Cast) -> None:
    moments, values = varied(70, samples.recent(71))
    late = [at for at in range(len(moments)) if at % 500 < 100]
    first = [at for at in range(len(moments)) if at % 500 >= 100]
    samples.upload(alpha, {"timestamp": [moments[i] for i in first], "cpu_user": [values[i] for i in first]})
    mark(alpha, moments)
    assert_same_as_the_raw_samples(alpha, [moments[i] for i in first], [values[i] for i in first])  # nothing rolled up
    refresh(alpha)
    samples.upload(alpha, {"timestamp": [moments[i] for i in late], "cpu_user": [values[i] for i in late]})
    mark(alpha, moments[30:40])
    mark(alpha, [moments[i] for i in late])
    assert_same_as_the_raw_samples(alpha, moments, values)  # the hours of late data are stale
    refresh(alpha)
    assert_same_as_the_raw_samples(alpha, moments, values)


def test_p95_of_a_bucket_of_one_hour_is_that_of_its_samples(alpha: Cast) -> None:
    start = rollups.floor(samples.recent(60))
    samples.upload(alpha, {"timestamp": samples.minutes(start, 600), "cpu_user": [float(i % 60) for i in range(600)]})
    mark(alpha, [start, start + timedelta(hours=10)])
    refresh(alpha)
    found = read(alpha, start, start + timedelta(hours=50), points=50)
    assert found.columns[0].p95["cpu_user"] == pytest.approx([56.05] * 10)


def test_a_range_with_a_long_backlog_is_read_raw(alpha: Cast) -> None:
    start = samples.recent(24 * 20)
    samples.upload(alpha, {"timestamp": samples.minutes(start, 10), "cpu_user": [1.0] * 10})
    mark(alpha, [start, datetime.now(UTC)])
    assert read(alpha, start, datetime.now(UTC), points=100).source == "raw"


def test_samples_hours_apart_are_no_gaps_in_roll_ups(alpha: Cast) -> None:
    moments = samples.minutes(rollups.floor(samples.recent(100)), 40, timedelta(hours=2))
    samples.upload(alpha, {"timestamp": moments, "cpu_user": [1.0] * 40})
    mark(alpha, moments)
    refresh(alpha)
    found = read(alpha, moments[0], moments[-1], points=20)
    assert (found.interval_s, found.gaps) == (7200.0, [])


def test_devices_come_apart_from_roll_ups(alpha: Cast) -> None:
    moments = samples.minutes(samples.recent(60), 300)
    columns: dict[str, list[Any]] = {
        "timestamp": moments * 2,
        "device": ["sda"] * 300 + ["sdb"] * 300,
        "util": [1.0] * 300 + [2.0] * 300,
    }
    samples.upload(alpha, columns, dataset="disks")
    mark(alpha, moments)
    refresh(alpha)
    found = read(alpha, moments[0], moments[0] + timedelta(hours=50), points=10, dataset="disks")
    assert [(one.instance, set(one.mean["util"]), set(one.maximum["util"])) for one in found.columns] == [
        ("sda", {1.0}, {1.0}), ("sdb", {2.0}, {2.0})
    ]  # fmt: skip
    assert (found.samples, found.source) == (300, "rollup")


@pytest.mark.parametrize(("points", "source", "queries"), [(5000, "raw", 4), (500, "raw", 4), (20, "rollup", 3)])
def test_the_number_of_queries_is_fixed_and_only_the_partitions_of_the_range_are_read(
    alpha: Cast, points: int, source: str, queries: int
) -> None:
    """Trap 34."""
    end = rollups.floor(datetime.now(UTC)) - timedelta(days=40)
    start = end - timedelta(days=3)
    with schema_context("alpha"):
        partitions.create(partitions.plan(months.between(start - timedelta(days=60), end)))
        samples.upload(alpha, {"timestamp": [start], "cpu_user": [1.0]})
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE {rollups_tables.ROLLED} SET until = %s", [start])  # so that roll-ups read raw too
    with CaptureQueriesContext(connection) as captured:
        assert read(alpha, start, end, points=points).source == source
    asked = [query["sql"] for query in captured if "collector_id = " in query["sql"]]
    assert len(asked) == queries
    wanted = {month.suffix for month in months.between(start, end - timedelta(microseconds=1))}
    with schema_context("alpha"), connection.cursor() as cursor:
        for sql in asked:
            cursor.execute("EXPLAIN " + sql)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert set(re.findall(r"_y\d{4}m\d{2}(?=\s|$)", plan)) <= wanted


def test_ranges_of_roll_ups_and_raw_samples_cover_the_request_once() -> None:
    day, hour = datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=1)
    request = series.Request(1, SYSTEM, [], day + hour / 2, day + 20 * hour + hour / 2)
    parts = series_hourly.divide(request, day + 18 * hour, [(day + 5 * hour, day + 7 * hour)])
    assert parts.rolled == [(day + hour, day + 5 * hour), (day + 7 * hour, day + 18 * hour)]
    assert parts.raw == [
        (request.start, day + hour), (day + 5 * hour, day + 7 * hour), (day + 18 * hour, request.end),
    ]  # fmt: skip


def test_fleet_has_the_newest_samples_with_fixed_queries(alpha: Cast) -> None:
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
    assert machine.fullest is None
    assert len([q for q in queries if "SET search_path" not in q["sql"]]) == 3


def test_the_fullest_filesystem_is_of_the_newest_sample(alpha: Cast) -> None:
    start = samples.recent(1)
    moments = [start, start, start, start + timedelta(minutes=1), start + timedelta(minutes=1)]
    columns: dict[str, list[Any]] = {
        "timestamp": moments, "mount": ["/", "/gone", "/var", "/", "/var"],
        "used_percent": [10.0, 99.0, 5.0, 20.0, None], "available_mb": [1.0, 2.0, 3.0, 4.0, 5.0],
    }  # fmt: skip
    samples.upload(alpha, columns, dataset="filesystems")
    with schema_context("alpha"):
        (machine,) = fleet.machines(datetime.now(UTC))
    assert machine.fullest == fleet.Filesystem("/", 20.0, 4.0)


def test_sparklines_are_the_same_rolled_up_or_not(alpha: Cast) -> None:
    """What is not rolled up yet comes from the samples: no hour is missing, none is there twice."""
    now = rollups.floor(datetime.now(UTC)) + timedelta(minutes=30)
    moments = samples.minutes(now - timedelta(hours=30), 30 * 4, timedelta(minutes=15))
    columns: dict[str, list[Any]] = {
        "timestamp": moments, "cpu_idle": [float(number % 100) for number in range(120)],
        "mem_used_mb": [256.0] * 120, "mem_total_mb": [1024.0] * 120,
    }  # fmt: skip
    samples.upload(alpha, columns)
    with schema_context("alpha"):
        pk = alpha.collector().pk
        raw = fleet.sparks(now, [pk])[pk]
        rollups.refresh(now)
        assert rollups.rolled_until() > now - timedelta(hours=3)
        with CaptureQueriesContext(connection) as queries:
            rolled = fleet.sparks(now, [pk])[pk]
    assert len(raw.cpu) == 24
    assert None not in raw.cpu
    assert rolled.cpu == pytest.approx(raw.cpu)
    assert rolled.memory == pytest.approx([25.0] * 24)
    assert len([q for q in queries if "SET search_path" not in q["sql"]]) == 2


def test_a_machine_without_samples_has_empty_sparklines(alpha: Cast) -> None:
    with schema_context("alpha"):
        found = fleet.sparks(datetime.now(UTC), [alpha.collector().pk, 999_999])
    assert [spark.cpu for spark in found.values()] == [[None] * 24] * 2


def test_the_fleet_reads_only_the_newest_partitions_by_their_keys(alpha: Cast) -> None:
    """Trap 34; and no scan of a month for one day of it."""
    now = datetime.now(UTC)
    with schema_context("alpha"):
        partitions.create(partitions.plan(months.between(now - timedelta(days=90), now)))
        with CaptureQueriesContext(connection) as captured:
            fleet.machines(now)
            fleet.sparks(now, [alpha.collector().pk])
        tables = ('"analysis_data"', f'"{fleet.FILESYSTEMS.table}"')
        read_samples = [query["sql"] for query in captured if any(name in query["sql"] for name in tables)]
        assert len(read_samples) == 3
        wanted = {month.suffix for month in months.between(now - timedelta(days=1), now + timedelta(hours=1))}
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # so small a table would be scanned by any plan
            for sql in read_samples:
                cursor.execute("EXPLAIN " + sql)
                plan = "\n".join(row[0] for row in cursor.fetchall())
                assert set(re.findall(r"_y\d{4}m\d{2}(?=\s|$)", plan)) <= wanted
                assert "collector_id = machine.id" in plan


def test_every_fleet_column_is_in_the_catalogue() -> None:
    assert set(fleet.COLUMNS) <= set(SYSTEM.metric_names)
