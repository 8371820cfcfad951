"""analysis.export and export_parquet below the API: how much is in memory, and what a failure does."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from django.db import DatabaseError, connection

from analysis import export, export_parquet
from core.catalogue import SYSTEM
from core.tenancy import schema_context
from tests.cast import Cast

DAY = datetime(2026, 1, 5, tzinfo=UTC)


def selection(cast: Cast, end: datetime = DAY + timedelta(days=1), schema: str = "alpha") -> export.Selection:
    return export.Selection(schema, SYSTEM, ["cpu_user", "cpu_cores"], [cast.collector()], DAY, end)


def fill(cast: Cast, step: str, end: datetime) -> None:
    from analysis import months, partitions

    with schema_context(cast.schema), connection.cursor() as cursor:
        partitions.create(partitions.plan(months.between(DAY, end)))
        cursor.execute(
            "INSERT INTO analysis_data (collector_id, timestamp, cpu_user)"
            " SELECT %s, at, 1.5 FROM generate_series(%s, %s - interval '1 s', %s::interval) at",
            [cast.collector().pk, DAY, end, step],
        )


def test_a_slice_follows_the_density_of_the_samples(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE_BYTES", 20_000)
    fill(alpha, "10 s", DAY + timedelta(days=1))
    header, first, *pieces = list(export.csv(selection(alpha)))
    assert first.count(b"\n") == 6 * 360  # the first slice is of fixed length
    assert max(map(len, pieces)) < 22_000
    assert sum(piece.count(b"\n") for piece in [header, first, *pieces]) == 1 + 8640


@pytest.mark.parametrize(
    ("covered", "size", "expected"),
    [
        (export.FIRST_SLICE, 0, export.FIRST_SLICE * export.MOST_GROWTH),
        (export.FIRST_SLICE, export.PIECE_BYTES * 2, export.FIRST_SLICE / 2),
        (export.FIRST_SLICE, 1, export.FIRST_SLICE * export.MOST_GROWTH),
        (export.FIRST_SLICE, export.PIECE_BYTES * 1_000_000, export.SHORTEST_SLICE),
        (timedelta(seconds=1), export.PIECE_BYTES, export.SHORTEST_SLICE),
    ],
)
def test_the_next_slice_is_within_bounds(covered: timedelta, size: int, expected: timedelta) -> None:
    assert export.next_length(export.FIRST_SLICE, covered, size) == min(expected, export.LONGEST_SLICE)


def test_parquet_is_written_in_row_groups_while_it_is_read(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "PIECE_BYTES", 20_000)
    monkeypatch.setattr(export_parquet, "ROW_GROUP", 1000)
    fill(alpha, "10 s", DAY + timedelta(days=1))
    pieces = list(export_parquet.parquet(selection(alpha)))
    assert len(pieces) > 3
    assert pl.read_parquet(b"".join(pieces))["cpu_user"].to_list() == [1.5] * 8640


@pytest.mark.parametrize("write", [export.csv, export.json, export_parquet.parquet])
def test_a_failing_database_breaks_the_stream_and_leaves_no_thread(alpha: Cast, write: object) -> None:
    """Half an export must not look like a whole one."""
    missing = selection(alpha, schema="nobody")
    with pytest.raises(DatabaseError):
        list(write(missing))  # type: ignore[operator]
    assert not [thread for thread in threading.enumerate() if thread.name == "parquet"]
