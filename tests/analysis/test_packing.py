"""analysis.packing: what is packed for COPY comes out of the table as it went in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.catalogue import DATASETS
from core.tenancy import schema_context
from tests import samples
from tests.cast import Cast

FLOATS = st.none() | st.floats(0, 2.0**49, width=32)


def stored(cast: Cast, dataset: str, *columns: str) -> list[tuple[Any, ...]]:
    names = ", ".join(columns)
    with schema_context(cast.schema), connection.cursor() as cursor:
        cursor.execute(f'SELECT {names} FROM "{DATASETS[dataset].table}" ORDER BY "timestamp"')
        return list(cursor.fetchall())


@settings(
    max_examples=30, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.lists(st.tuples(FLOATS, FLOATS, st.none() | st.lists(st.floats(0, 100, width=32), max_size=4)), min_size=1))
def test_numbers_arrays_and_what_is_missing_are_stored_as_they_are(alpha: Cast, rows: list[tuple[Any, ...]]) -> None:
    start = samples.recent(24 * 30)
    with schema_context(alpha.schema), connection.cursor() as cursor:
        cursor.execute("TRUNCATE analysis_data")
        cursor.execute("DELETE FROM analysis_batch")
    user, used, cores = (list(column) for column in zip(*rows, strict=True))
    columns = {"timestamp": samples.minutes(start, len(rows)), "cpu_user": user, "cpu_cores": cores}
    samples.upload(alpha, {**columns, "mem_used_mb": used})
    # As 8 bytes: what is shown of 4 is the shortest text that reads back as the same.
    assert stored(alpha, "system", "cpu_user::float8", "mem_used_mb::float8", "cpu_cores::float8[]") == rows


@pytest.mark.parametrize("name", ["sda", "ünï ☃", "a\\b", "\\N", "\t", "'=1", "x" * 300])
def test_a_text_is_stored_as_it_is(alpha: Cast, name: str) -> None:
    samples.upload(alpha, {"timestamp": [samples.recent()], "device": [name], "util": [None]}, dataset="disks")
    assert stored(alpha, "disks", "device", "util") == [(name, None)]


def test_missing_texts_and_whole_numbers_are_stored_as_they_are(alpha: Cast) -> None:
    moments = samples.minutes(samples.recent(), 2)
    samples.upload(
        alpha, {"timestamp": moments, "pid": [1, 2**53 + 1], "name": ["init", None], "cpu": [0.5, 1.0]},
        dataset="processes",
    )  # fmt: skip
    assert stored(alpha, "processes", "pid", "name", "cpu") == [(1, "init", 0.5), (2**53 + 1, None, 1.0)]


def test_an_instant_keeps_its_microseconds_and_is_the_same_in_every_zone(alpha: Cast) -> None:
    moment = samples.recent().astimezone(UTC) + timedelta(microseconds=123_457)
    samples.upload(alpha, {"timestamp": [moment], "cpu_user": [1.0]})
    assert stored(alpha, "system", "timestamp") == [(moment,)]


def test_a_table_with_texts_alone_is_stored(alpha: Cast) -> None:
    columns: dict[str, list[Any]] = {"timestamp": [samples.recent()], "mount": ["/"], "fstype": ["ext4"]}
    samples.upload(alpha, columns, dataset="filesystems")
    assert stored(alpha, "filesystems", "mount", "fstype", "used_mb") == [("/", "ext4", None)]


def test_an_instant_before_2000_is_stored(alpha: Cast) -> None:
    moment = datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    window = (moment - timedelta(days=1), moment + timedelta(days=1))
    samples.upload(alpha, {"timestamp": [moment], "cpu_user": [1.0]}, window=window)
    assert stored(alpha, "system", "timestamp") == [(moment,)]
