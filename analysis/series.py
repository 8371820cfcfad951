"""The read path for charts: samples of a range as columns, averaged down to a number of points, gaps left as gaps.

Gaps and coverage come from the samples themselves: the interval is the median distance between them, a gap is longer
than two intervals, coverage is samples seen ÷ samples expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from django.db import connection

from core.catalogue import Dataset

DEFAULT_INTERVAL_S = 60.0
INTERVALS_PER_GAP = 2
MIN_INTERVALS_PER_BUCKET = 3
INTERVAL_SAMPLES = 500
MAX_INSTANCES = 64


@dataclass(frozen=True)
class Request:
    """What to read: metrics of one machine in start ≤ timestamp < end, at about `points` points."""

    collector_id: int
    dataset: Dataset
    metrics: Sequence[str]
    start: datetime
    end: datetime
    points: int = 500


@dataclass(frozen=True)
class Columns:
    """One instance's columns (instance None: the whole machine). A gap is a row whose values are None.

    timestamps: milliseconds since 1970, UTC. mean, minimum, maximum: metric → values; without buckets, mean is the
    sample itself and the other two are empty.
    """

    instance: str | None
    timestamps: list[int] = field(default_factory=list)
    mean: dict[str, list[float | None]] = field(default_factory=dict)
    minimum: dict[str, list[float | None]] = field(default_factory=dict)
    maximum: dict[str, list[float | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """A chart's data. interval_s: distance of samples; step_s: width of a bucket, None when the samples are raw."""

    request: Request
    interval_s: float
    step_s: float | None
    samples: int
    coverage: float | None
    gaps: list[tuple[datetime, datetime]]
    columns: list[Columns]


def read(request: Request, now: datetime) -> Series:
    """Five queries at most, all on a half-open range of the raw timestamp, so that only its partitions are read."""
    interval = _interval(request)
    span = _Span.of(request, interval)
    step = _step(request, interval)
    columns = _raw(request, interval) if step is None else _buckets(request, step)
    gaps, coverage = _holes(request, span, interval, min(request.end, now))
    return Series(request, interval, step, span.samples, coverage, gaps, columns)


def _step(request: Request, interval: float) -> float | None:
    """Seconds of a bucket: a whole number of intervals, so wide that jitter leaves none empty; None for raw samples."""
    wanted = (request.end - request.start).total_seconds() / max(request.points, 1)
    intervals = -(-wanted // interval)
    return None if intervals < MIN_INTERVALS_PER_BUCKET else float(intervals * interval)


_RANGE = 'collector_id = %s AND "timestamp" >= %s AND "timestamp" < %s'


def _parameters(request: Request) -> list[Any]:
    return [request.collector_id, request.start, request.end]


def _interval(request: Request) -> float:
    """Median distance in seconds of the newest samples of the range."""
    query = f"""
        SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY distance) FROM (
            SELECT "timestamp" - lag("timestamp") OVER (ORDER BY "timestamp") AS distance FROM (
                SELECT DISTINCT "timestamp" FROM "{request.dataset.table}" WHERE {_RANGE}
                ORDER BY "timestamp" DESC LIMIT {INTERVAL_SAMPLES}
            ) newest
        ) distances
    """  # noqa: S608  # names come from the catalogue
    ((distance,),) = _query(query, _parameters(request))
    return float(max(distance.total_seconds(), 1.0)) if distance else DEFAULT_INTERVAL_S


@dataclass(frozen=True)
class _Span:
    samples: int
    first: datetime | None
    last: datetime | None

    @staticmethod
    def of(request: Request, interval: float) -> _Span:
        query = f"""
            SELECT count(DISTINCT "timestamp"), min("timestamp"), max("timestamp")
            FROM "{request.dataset.table}" WHERE {_RANGE}
        """  # noqa: S608
        ((samples, first, last),) = _query(query, _parameters(request))
        return _Span(samples, first, last)


def _raw(request: Request, interval: float) -> list[Columns]:
    instance = _instance(request.dataset)
    query = f"""
        SELECT {instance}, "timestamp", {_names(request.metrics)} FROM "{request.dataset.table}" WHERE {_RANGE}
        ORDER BY 1, 2
    """  # noqa: S608
    found = _by_instance(_query(query, _parameters(request)))
    return [_raw_columns(name, rows, request.metrics, interval) for name, rows in found]


def _raw_columns(
    instance: str | None, rows: Iterable[Sequence[Any]], metrics: Sequence[str], interval: float
) -> Columns:
    longest = timedelta(seconds=interval * INTERVALS_PER_GAP)
    columns = Columns(instance, mean={metric: [] for metric in metrics})
    previous: datetime | None = None
    for moment, *values in rows:
        if previous and moment - previous > longest:
            _append(columns.timestamps, columns.mean, previous + longest / 2, [None] * len(values))
        _append(columns.timestamps, columns.mean, moment, values)
        previous = moment
    return columns


def _append(
    timestamps: list[int], columns: dict[str, list[float | None]], moment: datetime, values: Sequence[float | None]
) -> None:
    timestamps.append(_milliseconds(moment))
    for column, value in zip(columns.values(), values, strict=True):
        column.append(value)


def _buckets(request: Request, step: float) -> list[Columns]:
    """Mean, minimum and maximum of each bucket, from the raw samples; an empty bucket is a row of None."""
    instance = _instance(request.dataset)
    parts = (f'avg("{m}"), min("{m}"), max("{m}")' for m in request.metrics)
    query = f"""
        SELECT {instance}, date_bin(%s, "timestamp", %s) AS bucket, {", ".join(parts)}
        FROM "{request.dataset.table}" WHERE {_RANGE} GROUP BY 1, 2 ORDER BY 1, 2
    """  # noqa: S608
    width, origin = timedelta(seconds=step), datetime(2000, 1, 1, tzinfo=UTC)
    found = _by_instance(_query(query, [width, origin, *_parameters(request)]))
    return [_bucket_columns(name, rows, request.metrics, width) for name, rows in found]


def _bucket_columns(
    instance: str | None, rows: Iterable[Sequence[Any]], metrics: Sequence[str], width: timedelta
) -> Columns:
    kinds: tuple[dict[str, list[float | None]], ...] = tuple({m: [] for m in metrics} for _ in range(3))
    columns = Columns(instance, [], *kinds)
    previous: datetime | None = None
    for bucket, *values in rows:
        missing = bucket - previous > width if previous else False
        for offset, kind in enumerate(kinds):
            if missing and previous:
                for column in kind.values():
                    column.append(None)
            for column, value in zip(kind.values(), values[offset::3], strict=True):
                column.append(value)
        if missing and previous:
            columns.timestamps.append(_milliseconds(previous + width))
        columns.timestamps.append(_milliseconds(bucket))
        previous = bucket
    return columns


def _holes(
    request: Request, span: _Span, interval: float, until: datetime
) -> tuple[list[tuple[datetime, datetime]], float | None]:
    """Gaps between the first sample and `until`, and the share of expected samples that were seen (None: no sample)."""
    if span.first is None or span.last is None:
        return [], None
    longest = timedelta(seconds=interval * INTERVALS_PER_GAP)
    query = f"""
        SELECT previous, "timestamp" FROM (
            SELECT lag("timestamp") OVER (ORDER BY "timestamp") AS previous, "timestamp"
            FROM "{request.dataset.table}" WHERE {_RANGE}
        ) pairs WHERE "timestamp" - previous > %s ORDER BY 1 LIMIT 1000
    """  # noqa: S608
    gaps = [(start, end) for start, end in _query(query, [*_parameters(request), longest])]
    if until - span.last > longest:
        gaps.append((span.last, until))
    expected = (max(until, span.last) - span.first).total_seconds() / interval
    trailing = until - span.last <= longest
    expected = (span.last - span.first).total_seconds() / interval + 1 if trailing else max(expected, 1.0)
    return gaps, min(1.0, span.samples / expected)


def _instance(dataset: Dataset) -> str:
    return f'"{dataset.instance}"::text' if dataset.instance else "NULL::text"


def _names(metrics: Iterable[str]) -> str:
    return ", ".join(f'"{metric}"' for metric in metrics)


def _by_instance(rows: Iterable[Sequence[Any]]) -> list[tuple[str | None, list[Sequence[Any]]]]:
    grouped = groupby(rows, key=lambda row: row[0])
    return [(name, [row[1:] for row in members]) for name, members in grouped][:MAX_INSTANCES]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _query(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
