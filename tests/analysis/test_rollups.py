"""analysis.rollups: the same statistics as from the raw samples, whatever comes late, twice or at once."""

from __future__ import annotations

import statistics
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.db import connection

from analysis import retention, rollups, rollups_tables
from analysis.rollups import Due, Span
from core.catalogue import DATASETS, DISKS, SYSTEM
from core.tenancy import schema_context
from partners.duties import StoppedError
from tests import samples
from tests.cast import Cast

HOUR, MINUTE = rollups.HOUR, timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _nothing_rolled_up(request: pytest.FixtureRequest) -> None:
    for name in {"alpha", "beta"} & set(request.fixturenames):
        with schema_context(request.getfixturevalue(name).schema):
            rollups.execute(f"UPDATE {rollups_tables.ROLLED} SET until = %s", [past_hour(48)])


def now() -> datetime:
    return datetime.now(UTC)


def past_hour(hours: int) -> datetime:
    return rollups.floor(now()) - hours * HOUR


def store(cast: Cast, moments: list[datetime], values: list[float | None], metric: str = "cpu_user") -> None:
    samples.upload(cast, {"timestamp": moments, metric: values})


def refresh(cast: Cast) -> int:
    with schema_context(cast.schema):
        return rollups.refresh(now())


def hourly(cast: Cast, metric: str = "cpu_user") -> dict[datetime, tuple[Any, ...]]:
    """Hour → count, mean, min, max, p95."""
    names = ", ".join(f'"{metric}_{name}"' for name in rollups_tables.STATISTICS)
    with schema_context(cast.schema):
        found = rollups.fetch(f"SELECT hour, {names} FROM analysis_data_hourly ORDER BY hour", [])
    return {hour: tuple(values) for hour, *values in found}


def coverage(cast: Cast) -> list[tuple[Any, ...]]:
    with schema_context(cast.schema):
        return rollups.fetch("SELECT hour, samples, first_at, last_at, step_s, gap_start, gap_end"
                             " FROM analysis_coverage WHERE dataset = 'system' ORDER BY hour", [])  # fmt: skip


def expected(values: list[float | None]) -> tuple[Any, ...]:
    known = [value for value in values if value is not None]
    p95 = statistics.quantiles(known, n=100, method="inclusive")[94]
    return tuple(
        pytest.approx(value, rel=1e-6)
        for value in (len(known), statistics.fmean(known), min(known), max(known), p95)
    )  # fmt: skip


def varied(count: int) -> list[float | None]:
    return [None if index % 7 == 3 else float(index * 37 % 101) for index in range(count)]


def test_every_hour_has_the_statistics_of_its_raw_samples(alpha: Cast) -> None:
    start, values = past_hour(4), varied(180)
    store(alpha, samples.minutes(start, 180), values)
    refresh(alpha)
    found = hourly(alpha)
    assert list(found) == [start, start + HOUR, start + 2 * HOUR]
    for index, hour in enumerate(found):
        assert found[hour] == expected(values[index * 60 : index * 60 + 60])


def test_devices_are_rolled_up_apart(alpha: Cast) -> None:
    start = past_hour(3)
    moments = samples.minutes(start, 30) * 2
    columns: dict[str, list[Any]] = {
        "timestamp": moments,
        "device": ["sda"] * 30 + ["sdb"] * 30,
        "util": [1.0] * 30 + [2.0] * 30,
    }
    samples.upload(alpha, columns, dataset="disks")
    refresh(alpha)
    with schema_context("alpha"):
        found = rollups.fetch("SELECT device, samples, util_mean FROM analysis_disks_hourly ORDER BY 1", [])
        ((instants,),) = rollups.fetch("SELECT samples FROM analysis_coverage WHERE dataset = 'disks'", [])
    assert found == [("sda", 30, 1.0), ("sdb", 30, 2.0)]
    assert instants == 30


def test_coverage_knows_interval_first_last_and_the_longest_gap(alpha: Cast) -> None:
    start = past_hour(3)
    moments = samples.minutes(start, 10) + samples.minutes(start + 30 * MINUTE, 20)
    store(alpha, moments, [1.0] * 30)
    refresh(alpha)
    last, gap = start + 49 * MINUTE, (start + 9 * MINUTE, start + 30 * MINUTE)
    assert coverage(alpha) == [(start, 30, start, last, 60.0, *gap)]


def test_late_samples_are_rolled_up_again(alpha: Cast) -> None:
    start = past_hour(5)
    store(alpha, samples.minutes(start, 30), [1.0] * 30)
    refresh(alpha)
    assert hourly(alpha)[start][:2] == (30, 1.0)
    late = samples.minutes(start + 30 * MINUTE, 30)
    store(alpha, late, [3.0] * 30)
    mark(alpha, late)
    refresh(alpha)
    assert hourly(alpha)[start][:2] == (60, 2.0)
    assert coverage(alpha)[0][1] == 60


def mark(cast: Cast, moments: list[datetime]) -> None:
    """As the write path does in its transaction."""
    with schema_context(cast.schema):
        rollups.mark_stale([Span(cast.collector().pk, min(moments), max(moments))], now())


def marks(cast: Cast) -> int:
    return samples.count(cast, rollups_tables.STALE)


def test_only_what_is_late_is_marked(alpha: Cast) -> None:
    with schema_context("alpha"):
        rollups.execute(f"DELETE FROM {rollups_tables.STALE}", [])
    mark(alpha, [now() - timedelta(seconds=30), now()])
    assert marks(alpha) == 0
    mark(alpha, [past_hour(2)])
    assert marks(alpha) == 1


def test_what_an_upload_may_leave_unmarked_is_not_rolled_up_yet() -> None:
    assert rollups.OPEN + timedelta(minutes=5) <= rollups.SETTLED


def test_running_it_again_changes_nothing(alpha: Cast) -> None:
    start = past_hour(30)
    store(alpha, samples.minutes(start, 600), varied(600))
    assert refresh(alpha) > 0
    before = hourly(alpha), coverage(alpha)
    assert refresh(alpha) == 0
    mark(alpha, [start, start + 10 * HOUR])
    assert refresh(alpha) == 11
    assert (hourly(alpha), coverage(alpha)) == before
    assert marks(alpha) == 0


def test_an_hour_that_retention_has_begun_to_trim_keeps_its_statistics(alpha: Cast) -> None:
    start = past_hour(3)
    store(alpha, samples.minutes(start, 60), [float(i) for i in range(60)])
    refresh(alpha)
    before = hourly(alpha)
    with schema_context("alpha"):
        for partition in retention.plan(start + 30 * MINUTE, 0).trim:
            retention.trim(partition, start + 30 * MINUTE)
    assert samples.count(alpha) == 30
    mark(alpha, [start])
    refresh(alpha)
    assert hourly(alpha) == before


def test_the_hour_that_is_not_over_stays_raw(alpha: Cast) -> None:
    store(alpha, [now() - MINUTE], [1.0])
    refresh(alpha)
    assert hourly(alpha) == {}
    with schema_context("alpha"):
        assert rollups.rolled_until() <= now() - rollups.SETTLED


def test_an_upload_that_is_not_committed_holds_its_hours_back(alpha: Cast) -> None:
    """It may add samples that nobody has marked, because they were fresh when it began."""
    with closing(psycopg2.connect(**connection.get_connection_params())) as other, other.cursor() as cursor:
        cursor.execute("SELECT 1")
        with schema_context("alpha"):
            rollups.refresh(now() + 5 * HOUR)
            assert rollups.rolled_until() <= now()


def test_while_another_process_rolls_up_there_is_nothing_to_do(alpha: Cast) -> None:
    store(alpha, samples.minutes(past_hour(3), 60), [1.0] * 60)
    lock = "SELECT pg_advisory_xact_lock(%s, hashtext('alpha'))"
    with closing(psycopg2.connect(**connection.get_connection_params())) as other, other.cursor() as cursor:
        cursor.execute(lock, [rollups._ADVISORY])
        assert refresh(alpha) == 0
        other.rollback()
    assert refresh(alpha) > 0


def test_a_stop_rolls_the_step_back_and_the_next_run_does_it(alpha: Cast) -> None:
    start = past_hour(3)
    store(alpha, samples.minutes(start, 60), [1.0] * 60)
    with schema_context("alpha"):
        before = rollups.rolled_until()
        with pytest.raises(StoppedError):
            rollups.refresh(now(), lambda: True)
        assert rollups.rolled_until() == before
    refresh(alpha)
    assert start in hourly(alpha)


def test_old_roll_ups_go_and_younger_stay(alpha: Cast) -> None:
    start = past_hour(6)
    store(alpha, samples.minutes(start, 180), [1.0] * 180)
    refresh(alpha)
    with schema_context("alpha"):
        assert rollups.trim(start + HOUR) == 2  # one of the statistics, one of coverage
    assert list(hourly(alpha)) == [start + HOUR, start + 2 * HOUR]


def test_due_hours_are_whole_joined_and_before_the_limit() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    spans = [
        Span(2, start, start),
        Span(1, start + 90 * MINUTE, start + 100 * MINUTE),
        Span(1, start + 5 * MINUTE, start + 60 * MINUTE),
        Span(1, start + 5 * HOUR, start + 9 * HOUR),
        Span(3, start + 7 * HOUR, start + 8 * HOUR),
    ]
    assert rollups.due(spans, start + 7 * HOUR) == [
        Due(1, start, start + 2 * HOUR), Due(1, start + 5 * HOUR, start + 7 * HOUR), Due(2, start, start + HOUR),
    ]  # fmt: skip


def test_hours_are_whole_in_utc() -> None:
    moment = datetime.fromisoformat("2026-01-01T12:30:00+05:30")
    assert rollups.floor(moment) == rollups.ceiling(moment) == datetime(2026, 1, 1, 7, tzinfo=UTC)
    later = moment + timedelta(microseconds=1)
    assert rollups.floor(later) == datetime(2026, 1, 1, 7, tzinfo=UTC)
    assert rollups.ceiling(later) == datetime(2026, 1, 1, 8, tzinfo=UTC)


def test_another_tenants_hours_are_its_own(alpha: Cast, beta: Cast) -> None:
    store(alpha, samples.minutes(past_hour(3), 60), [1.0] * 60)
    refresh(beta)
    assert (hourly(alpha), hourly(beta)) == ({}, {})


def test_the_tables_have_every_number_of_the_catalogue(alpha: Cast) -> None:
    with schema_context("alpha"), connection.cursor() as cursor:
        for dataset in DATASETS.values():
            cursor.execute(f'SELECT * FROM "{rollups_tables.table(dataset)}" LIMIT 0')
            names = {column.name for column in cursor.description}
            key = {"collector_id", "hour", "samples", *([dataset.instance] if dataset.instance else [])}
            assert names == key | set(rollups_tables.columns(dataset))
            assert len(rollups_tables.columns(dataset)) == 5 * sum(metric.is_number for metric in dataset.metrics)
    assert "cpu_cores_mean" not in rollups_tables.columns(SYSTEM)
    assert "util_p95" in rollups_tables.columns(DISKS)


def test_bringing_the_tables_to_the_catalogue_twice_changes_nothing(alpha: Cast) -> None:
    with schema_context("alpha"):
        before = described()
        for statement in rollups_tables.statements():
            rollups.execute(statement, [])
        assert described() == before


def described() -> list[tuple[object, ...]]:
    """Columns and indexes of the tenant's tables."""
    columns = rollups.fetch(
        "SELECT table_name, column_name, ordinal_position, data_type, is_nullable FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position",
        [],
    )
    indexes = rollups.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1", []
    )
    assert any(name == rollups_tables.table(DISKS) for name, *_ in columns)
    return [*columns, *indexes]
