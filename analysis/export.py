"""Exports: samples as CSV or JSON, made by PostgreSQL and streamed a machine and a slice of time at a go.

Memory stays flat: one slice is in memory. An export can be uploaded again unchanged.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django_tenants.utils import schema_context

from collectors.models import Collector
from core.catalogue import Dataset, groups

SLICE = timedelta(days=7)


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
    yield from _slices(selection, _csv_slice)


def json(selection: Selection) -> Iterator[bytes]:
    """An array of objects, one a sample; null where nothing was measured."""
    yield b"["
    separator = b""
    for piece in _slices(selection, _json_slice):
        yield separator + piece
        separator = b","
    yield b"]\n"


Slice = Callable[[Selection, Collector, datetime, datetime], bytes]


def _slices(selection: Selection, read: Slice) -> Iterator[bytes]:
    """Every non-empty slice, in the tenant that asked: a stream is read after the view has returned (trap 28)."""
    for machine in selection.machines:
        start = selection.start
        while start < selection.end:
            end = min(start + SLICE, selection.end)
            with schema_context(selection.schema_name):
                piece = read(selection, machine, start, end)
            if piece:
                yield piece
            start = end


def _csv_slice(selection: Selection, machine: Collector, start: datetime, end: datetime) -> bytes:
    output = io.BytesIO()
    with connection.cursor() as cursor, connection.wrap_database_errors:
        query = cursor.mogrify(_query(selection, _csv_column), _parameters(selection, machine, start, end)).decode()
        cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT csv)", output)
    return output.getvalue()


def _json_slice(selection: Selection, machine: Collector, start: datetime, end: datetime) -> bytes:
    query = f"SELECT string_agg(row_to_json(sample)::text, ',') FROM ({_query(selection, _json_column)}) sample"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(query, _parameters(selection, machine, start, end))
        (text,) = cursor.fetchone()
    return text.encode() if text else b""


def _parameters(selection: Selection, machine: Collector, start: datetime, end: datetime) -> list[Any]:
    return [machine.machine_id, machine.pk, start, end]


def _query(selection: Selection, column: Callable[[str, str], str]) -> str:
    """Key columns, then metrics; four parameters: machine id, collector, start, end."""
    dataset = selection.dataset
    instance = [(dataset.instance, dataset.instance_dtype)] if dataset.instance else []
    columns = instance + [(name, dataset.metric(name).dtype) for name in selection.metrics]
    order = ", ".join(['"timestamp"', *(f'"{name}"' for name, _ in instance)])
    return f"""
        SELECT {_TIMESTAMP} AS "timestamp", %s::text AS machine_id, {", ".join(column(*c) for c in columns)}
        FROM "{dataset.table}" WHERE collector_id = %s AND "{dataset.table}"."timestamp" >= %s
          AND "{dataset.table}"."timestamp" < %s ORDER BY "{dataset.table}".{order}
    """  # noqa: S608  # names come from the catalogue


_TIMESTAMP = """rtrim(rtrim(to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '0'), '.') || 'Z'"""


def _csv_column(name: str, dtype: str) -> str:
    if dtype == "real[]":
        return f"""array_to_string("{name}", ';') AS "{name}\""""
    if dtype == "text":  # core.batch.escape_text, in SQL
        formula = f"""ltrim("{name}", '''') ~ '^[=+@\\t\\r-]'"""
        return f"""CASE WHEN {formula} THEN '''' || "{name}" ELSE "{name}" END AS "{name}\""""
    return f'"{name}"'


def _json_column(name: str, dtype: str) -> str:
    return f'"{name}"'
