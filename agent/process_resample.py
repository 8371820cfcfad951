"""Rows of longer intervals out of rows of shorter ones, each column combined as the catalogue says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import groupby
from typing import Any, NamedTuple, Union

from core.batch import Table
from core.catalogue import Dataset, Metric

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def parse_interval(text: str) -> timedelta:
    """`30s`, `5m`, `1h` or `1d`; ValueError for anything else."""
    match = re.fullmatch(r"([1-9]\d{0,6})([smhd])", text, re.ASCII)
    if match is None:
        raise ValueError(f"{text!r} is no interval; expected a number and s, m, h or d, as in 5m")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def bucket_start(moment: datetime, interval: timedelta) -> datetime:
    """Buckets are counted from 1970-01-01T00:00:00Z, so an hour starts on the hour."""
    return moment - (moment - _EPOCH) % interval


def resample(tables: Iterable[Table], dataset: Dataset, names: Sequence[str], interval: timedelta) -> Iterator[Table]:
    """Tables in order of time in; out a table for each bucket, with the bucket's start as timestamp.

    names: the metrics wanted. In memory is one bucket: the values of each machine and instance in it.
    """
    rows = (row for table in tables for row in _rows(table, names))
    for start, members in groupby(rows, key=lambda row: bucket_start(row.moment, interval)):
        bucket: Bucket = {}
        for row in members:
            columns = bucket.setdefault((row.machine, row.instance), [[] for _ in names])
            _add(columns, row.values)
        yield _combine(dataset, names, start, bucket)


class _Row(NamedTuple):
    moment: datetime
    machine: str
    instance: Any
    values: Sequence[Any]


Bucket = dict[tuple[str, Any], list[list[Any]]]


def _rows(table: Table, names: Sequence[str]) -> Iterator[_Row]:
    count, dataset, nothing = len(table), table.dataset, [None] * len(table)
    machines = table.columns.get("machine_id") or [""] * count
    instances = table.columns[dataset.instance] if dataset.instance else nothing
    values = zip(*(table.columns.get(name, nothing) for name in names))
    return map(_Row, table.columns["timestamp"], machines, instances, values)


def _add(columns: list[list[Any]], values: Iterable[Any]) -> None:
    for column, value in zip(columns, values):
        if value is not None:
            column.append(value)


def _combine(dataset: Dataset, names: Sequence[str], start: datetime, bucket: Bucket) -> Table:
    members = sorted(bucket.items(), key=lambda member: member[0])
    columns: dict[str, list[Any]] = {"timestamp": [start] * len(members)}
    if any(machine for (machine, _), _ in members):
        columns["machine_id"] = [machine for (machine, _), _ in members]
    if dataset.instance:
        columns[dataset.instance] = [instance for (_, instance), _ in members]
    for index, name in enumerate(names):
        metric = dataset.metric(name)
        columns[name] = [combine(metric, values[index]) for _, values in members]
    return Table(dataset, columns)


def combine(metric: Metric, values: Sequence[Any]) -> Union[float, list[float], str, None]:
    """None when nothing was measured. Cores are combined one by one; of text the last counts."""
    if not values:
        return None
    if metric.dtype == "text":
        return str(values[-1])
    if metric.dtype == "real[]":
        widest = max(map(len, values))
        cores = ([row[core] for row in values if core < len(row)] for core in range(widest))
        return [_combine_numbers(metric.aggregate, core) for core in cores]
    return _combine_numbers(metric.aggregate, values)


def _combine_numbers(aggregate: str, values: Sequence[float]) -> float:
    if aggregate == "max":
        return max(values)
    if aggregate == "last":
        return values[-1]
    return sum(values) if aggregate == "sum" else sum(values) / len(values)
