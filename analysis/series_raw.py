"""Charts from the raw samples, averaged down to a number of points, gaps left as gaps.

Gaps and coverage come from the samples themselves: the interval is the median distance between them, a gap is longer
than two intervals, coverage is samples seen ÷ samples expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analysis.series_shapes import (
    DEFAULT_INTERVAL_S,
    MAX_GAPS,
    ORIGIN,
    Columns,
    Request,
    Row,
    Series,
    Values,
    bucket_columns,
    by_instance,
    instance_column,
    longest_distance,
    milliseconds,
    query,
    share_seen,
    trailing_gap,
)

MIN_INTERVALS_PER_BUCKET = 3
INTERVAL_SAMPLES = 500

RANGE = 'collector_id = %s AND "timestamp" >= %s AND "timestamp" < %s'


def read(request: Request, now: datetime) -> Series:
    """Four queries, all on a half-open range of the raw timestamp, so that only its partitions are read."""
    interval = _interval(request)
    span = _span(request)
    step = _step(request, interval)
    columns = _samples(request, interval) if step is None else _buckets(request, step)
    gaps, coverage = _holes(request, span, interval, min(request.end, now))
    return Series(request, interval, step, span.samples, coverage, gaps, columns)


def _step(request: Request, interval: float) -> float | None:
    """Seconds of a bucket: a whole number of intervals, so wide that jitter leaves none empty; None for raw samples."""
    intervals = -(-request.wanted_step_s // interval)
    return None if intervals < MIN_INTERVALS_PER_BUCKET else float(intervals * interval)


def _parameters(request: Request) -> list[Any]:
    return [request.collector_id, request.start, request.end]


def _interval(request: Request) -> float:
    """Median distance in seconds of the newest samples of the range."""
    found = f"""
        SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY distance) FROM (
            SELECT "timestamp" - lag("timestamp") OVER (ORDER BY "timestamp") AS distance FROM (
                SELECT DISTINCT "timestamp" FROM "{request.dataset.table}" WHERE {RANGE}
                ORDER BY "timestamp" DESC LIMIT {INTERVAL_SAMPLES}
            ) newest
        ) distances
    """  # noqa: S608  # names come from the catalogue
    ((distance,),) = query(found, _parameters(request))
    return float(max(distance.total_seconds(), 1.0)) if distance else DEFAULT_INTERVAL_S


@dataclass(frozen=True)
class _Span:
    samples: int
    first: datetime | None
    last: datetime | None


def _span(request: Request) -> _Span:
    found = f"""
        SELECT count(DISTINCT "timestamp"), min("timestamp"), max("timestamp")
        FROM "{request.dataset.table}" WHERE {RANGE}
    """  # noqa: S608
    ((samples, first, last),) = query(found, _parameters(request))
    return _Span(samples, first, last)


def _samples(request: Request, interval: float) -> list[Columns]:
    names = ", ".join(f'"{metric}"' for metric in request.metrics)
    found = f"""
        SELECT {instance_column(request.dataset)}, "timestamp", {names} FROM "{request.dataset.table}" WHERE {RANGE}
        ORDER BY 1, 2
    """  # noqa: S608
    rows = by_instance(query(found, _parameters(request)))
    return [_sample_columns(name, members, request.metrics, interval) for name, members in rows]


def _sample_columns(instance: str | None, rows: Iterable[Row], metrics: Sequence[str], interval: float) -> Columns:
    longest = longest_distance(interval)
    columns = Columns(instance, mean={metric: [] for metric in metrics})
    previous: datetime | None = None
    for moment, *values in rows:
        if previous and moment - previous > longest:
            _append(columns.timestamps, columns.mean, previous + longest / 2, [None] * len(values))
        _append(columns.timestamps, columns.mean, moment, values)
        previous = moment
    return columns


def _append(timestamps: list[int], columns: dict[str, Values], moment: datetime, values: Row) -> None:
    timestamps.append(milliseconds(moment))
    for column, value in zip(columns.values(), values, strict=True):
        column.append(value)


def _buckets(request: Request, step: float) -> list[Columns]:
    """Mean, minimum and maximum of each bucket, from the raw samples; an empty bucket is a row of None."""
    parts = (f'avg("{m}"), min("{m}"), max("{m}")' for m in request.metrics)
    found = f"""
        SELECT {instance_column(request.dataset)}, date_bin(%s, "timestamp", %s) AS bucket, {", ".join(parts)}
        FROM "{request.dataset.table}" WHERE {RANGE} GROUP BY 1, 2 ORDER BY 1, 2
    """  # noqa: S608
    width = timedelta(seconds=step)
    rows = by_instance(query(found, [width, ORIGIN, *_parameters(request)]))
    return [bucket_columns(name, members, request.metrics, width) for name, members in rows]


def _holes(
    request: Request, span: _Span, interval: float, until: datetime
) -> tuple[list[tuple[datetime, datetime]], float | None]:
    """Gaps between the first sample and `until`, and the share of expected samples that were seen (None: no sample)."""
    if span.first is None or span.last is None:
        return [], None
    found = f"""
        SELECT previous, "timestamp" FROM (
            SELECT lag("timestamp") OVER (ORDER BY "timestamp") AS previous, "timestamp"
            FROM "{request.dataset.table}" WHERE {RANGE}
        ) pairs WHERE "timestamp" - previous > %s ORDER BY 1 LIMIT {MAX_GAPS}
    """  # noqa: S608
    pairs = query(found, [*_parameters(request), longest_distance(interval)])
    gaps = [(start, end) for start, end in pairs] + trailing_gap(span.last, until, interval)
    return gaps, share_seen(span.samples, span.first, span.last, until, interval)
