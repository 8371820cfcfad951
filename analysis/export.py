"""Exports: samples as CSV or JSON, made by PostgreSQL and streamed a machine and a slice of time at a go.

Memory stays flat: one slice is in memory, and its length follows from how much the slice before it held. A CSV export
can be uploaded again unchanged. Parquet is in `export_parquet`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from collectors.models import Collector
from core.catalogue import MIB, Dataset, groups
from core.tenancy import schema_context

PIECE_BYTES = 4 * MIB
FIRST_SLICE, SHORTEST_SLICE, LONGEST_SLICE = timedelta(hours=6), timedelta(minutes=10), timedelta(days=4)
MOST_GROWTH = 8


@dataclass(frozen=True)
class Selection:
    """What to export, of which tenant: samples of `machines` in start ≤ timestamp < end."""

    schema_name: str
    dataset: Dataset
    metrics: Sequence[str]
    machines: Sequence[Collector]
    start: datetime
    end: datetime

    @property
    def header(self) -> tuple[str, ...]:
        return self.dataset.key + tuple(self.metrics)


def choose_metrics(dataset: Dataset, wanted: Sequence[str]) -> list[str]:
    """Names of metrics and groups to metric names in the catalogue's order; KeyError names what is unknown."""
    if not wanted:
        return list(dataset.metric_names)
    known = {**{name: (name,) for name in dataset.metric_names}, **groups(dataset)}
    chosen = {name for word in wanted for name in known[word]}
    return [name for name in dataset.metric_names if name in chosen]


def csv(selection: Selection) -> Iterator[bytes]:
    """RFC 4180 with a header line; timestamps RFC 3339 in UTC; empty where nothing was measured."""
    yield (",".join(selection.header) + "\n").encode()
    yield from slices(selection, _csv_slice)


def json(selection: Selection) -> Iterator[bytes]:
    """An array of objects, one a sample; null where nothing was measured."""
    yield b"["
    separator = b""
    for piece in slices(selection, _json_slice):
        yield separator + piece
        separator = b","
    yield b"]\n"


Slice = Callable[[Selection, Collector, datetime, datetime], bytes]
Column = Callable[[str, str], str]


def slices(selection: Selection, read: Slice) -> Iterator[bytes]:
    """Every non-empty slice, in the tenant that asked: a stream is read after the view has returned (trap 28)."""
    for machine in selection.machines:
        start, length = selection.start, FIRST_SLICE
        while start < selection.end:
            end = min(start + length, selection.end)
            with schema_context(selection.schema_name):
                piece = read(selection, machine, start, end)
            if piece:
                yield piece
            length = next_length(length, end - start, len(piece))
            start = end


def next_length(length: timedelta, covered: timedelta, size: int) -> timedelta:
    """How much time the next slice spans, so that it holds about PIECE_BYTES, when `covered` gave `size` bytes."""
    wanted = covered * (PIECE_BYTES / size) if size else LONGEST_SLICE
    return max(min(wanted, length * MOST_GROWTH, LONGEST_SLICE), SHORTEST_SLICE)


def copy(query: str, parameters: Sequence[Any], options: str) -> bytes:
    """What COPY makes of a query in the current tenant."""
    output = io.BytesIO()
    with connection.cursor() as cursor, connection.wrap_database_errors:
        bound = cursor.mogrify(query, parameters).decode()
        cursor.copy_expert(f"COPY ({bound}) TO STDOUT ({options})", output)
    return output.getvalue()


def _csv_slice(selection: Selection, machine: Collector, start: datetime, end: datetime) -> bytes:
    query = samples_query(selection, _TIMESTAMP, _csv_column)
    return copy(query, parameters(selection, machine, start, end), "FORMAT csv")


def _json_slice(selection: Selection, machine: Collector, start: datetime, end: datetime) -> bytes:
    samples = samples_query(selection, _TIMESTAMP, lambda name, _: f'"{name}"')
    query = f"SELECT string_agg(row_to_json(sample)::text, ',') FROM ({samples}) sample"  # noqa: S608  # our own
    with connection.cursor() as cursor:
        cursor.execute(query, parameters(selection, machine, start, end))
        (text,) = cursor.fetchone()
    return text.encode() if text else b""


def parameters(selection: Selection, machine: Collector, start: datetime, end: datetime) -> list[Any]:
    """Of `samples_query`."""
    return [machine.machine_id, machine.pk, start, end]


def samples_query(selection: Selection, timestamp: str, column: Column) -> str:
    """Key columns, then metrics, by time; four parameters: machine id, collector, start, end.

    timestamp: the SQL of the first column; column: name and dtype → the SQL of any after `machine_id`.
    """
    dataset = selection.dataset
    instance = [(dataset.instance, dataset.instance_dtype)] if dataset.instance else []
    columns = instance + [(name, dataset.metric(name).dtype) for name in selection.metrics]
    order = ", ".join(['"timestamp"', *(f'"{name}"' for name, _ in instance)])
    return f"""
        SELECT {timestamp} AS "timestamp", %s::text AS machine_id, {", ".join(column(*c) for c in columns)}
        FROM "{dataset.table}" WHERE collector_id = %s AND "{dataset.table}"."timestamp" >= %s
          AND "{dataset.table}"."timestamp" < %s ORDER BY "{dataset.table}".{order}
    """  # noqa: S608  # names come from the catalogue


# RFC 3339 with a fraction only where there is one, as PostgreSQL's own text has it; to_char takes three times as long.
_TIMESTAMP = """replace(("timestamp" AT TIME ZONE 'UTC')::text, ' ', 'T') || 'Z'"""


def _csv_column(name: str, dtype: str) -> str:
    if dtype == "real[]":
        return f"""array_to_string("{name}", ';') AS "{name}\""""
    if dtype == "text":  # core.batch.escape_text, in SQL
        formula = f"""ltrim("{name}", '''') ~ '^[=+@\\t\\r-]'"""
        return f"""CASE WHEN {formula} THEN '''' || "{name}" ELSE "{name}" END AS "{name}\""""
    return f'"{name}"'
