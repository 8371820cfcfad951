"""What the read path for charts asks and answers, and the arithmetic that raw samples and roll-ups share."""

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
MAX_INSTANCES, MAX_GAPS = 64, 1000
ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)

Row = Sequence[Any]
Values = list[float | None]


@dataclass(frozen=True)
class Request:
    """What to read: metrics of one machine in start ≤ timestamp < end, at about `points` points.

    raw_from: since when raw samples are kept; before it there are only roll-ups. None: it is not known.
    """

    collector_id: int
    dataset: Dataset
    metrics: Sequence[str]
    start: datetime
    end: datetime
    points: int = 500
    raw_from: datetime | None = None

    @property
    def wanted_step_s(self) -> float:
        return (self.end - self.start).total_seconds() / max(self.points, 1)


@dataclass(frozen=True)
class Columns:
    """One instance's columns (instance None: the whole machine). A gap is a row whose values are None.

    timestamps: milliseconds since 1970, UTC. mean, minimum, maximum: metric → values; without buckets, mean is the
    sample itself and the others are empty. p95, of roll-ups only: the highest of the bucket's hourly 95th percentiles.
    """

    instance: str | None
    timestamps: list[int] = field(default_factory=list)
    mean: dict[str, Values] = field(default_factory=dict)
    minimum: dict[str, Values] = field(default_factory=dict)
    maximum: dict[str, Values] = field(default_factory=dict)
    p95: dict[str, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """A chart's data. interval_s: distance of samples; step_s: width of a bucket, None when the samples are raw.

    source: `raw` or `rollup`. Of roll-ups, `gaps` has the longest gap within each hour, and all that are longer.
    """

    request: Request
    interval_s: float
    step_s: float | None
    samples: int
    coverage: float | None
    gaps: list[tuple[datetime, datetime]]
    columns: list[Columns]
    source: str = "raw"


def longest_distance(interval_s: float) -> timedelta:
    """A longer distance of two samples is a gap."""
    return timedelta(seconds=interval_s * INTERVALS_PER_GAP)


def trailing_gap(last: datetime, until: datetime, interval_s: float) -> list[tuple[datetime, datetime]]:
    return [(last, until)] if until - last > longest_distance(interval_s) else []


def share_seen(samples: int, first: datetime, last: datetime, until: datetime, interval_s: float) -> float:
    """Samples seen ÷ samples expected from the first one to `until`; the next one may still be on its way."""
    if until - last <= longest_distance(interval_s):
        return min(1.0, samples / ((last - first).total_seconds() / interval_s + 1))
    return min(1.0, samples / max((until - first).total_seconds() / interval_s, 1.0))


def by_instance(rows: Iterable[Row]) -> list[tuple[str | None, list[Row]]]:
    """Rows that begin with their instance, apart; at most MAX_INSTANCES of them."""
    grouped = groupby(rows, key=lambda row: row[0])
    return [(name, [row[1:] for row in members]) for name, members in grouped][:MAX_INSTANCES]


def bucket_columns(instance: str | None, rows: Iterable[Row], metrics: Sequence[str], width: timedelta) -> Columns:
    """Rows of bucket, then each metric's statistics one after the other; a missing bucket is a row of None."""
    columns = Columns(instance)
    kinds = (columns.mean, columns.minimum, columns.maximum, columns.p95)
    previous: datetime | None = None
    for bucket, *values in rows:
        if previous is not None and bucket - previous > width:
            _append_bucket(columns.timestamps, kinds, metrics, previous + width, [None] * len(values))
        _append_bucket(columns.timestamps, kinds, metrics, bucket, values)
        previous = bucket
    return columns


def _append_bucket(
    timestamps: list[int], kinds: Sequence[dict[str, Values]], metrics: Sequence[str], bucket: datetime, values: Row
) -> None:
    timestamps.append(milliseconds(bucket))
    many = len(values) // len(metrics) if metrics else 0
    for kind, offset in zip(kinds, range(many), strict=False):
        for metric, value in zip(metrics, values[offset::many], strict=True):
            kind.setdefault(metric, []).append(value)


def instance_column(dataset: Dataset) -> str:
    return f'"{dataset.instance}"::text' if dataset.instance else "NULL::text"


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def query(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
