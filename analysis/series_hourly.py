"""Charts from the hourly roll-ups; what these lack yet (late data, the newest hours, the ends of a range) from raw.

So the answer is the one that the raw samples would give, however far the rolling up has come. Means are weighted by the
samples that each hour has (trap 37).
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analysis import rollups_tables
from analysis.rollups import HOUR, ceiling, floor
from analysis.rollups_tables import COVERAGE, ROLLED, STALE
from analysis.series_shapes import (
    DEFAULT_INTERVAL_S,
    MAX_GAPS,
    ORIGIN,
    Columns,
    Request,
    Series,
    bucket_columns,
    by_instance,
    instance_column,
    longest_distance,
    query,
    share_seen,
    trailing_gap,
)

MAX_RAW = timedelta(days=4)
INTERVAL_HOURS = 10
_STATISTICS = tuple(rollups_tables.STATISTICS)

Range = tuple[datetime, datetime]


@dataclass(frozen=True)
class Sources:
    """Which half-open ranges are read from the roll-ups (whole hours) and which from the raw samples; disjoint."""

    rolled: list[Range]
    raw: list[Range]

    @property
    def is_worth_it(self) -> bool:
        """Whether little enough is raw; while a backlog is rolled up, plain buckets of raw samples are faster."""
        return sum((end - start for start, end in self.raw), timedelta()) <= MAX_RAW


def sources(request: Request) -> Sources:
    """One query: how far the roll-ups have come, and this machine's stale hours."""
    found = query(
        f"SELECT until, NULL FROM {ROLLED} UNION ALL"  # noqa: S608
        f" SELECT first_at, last_at FROM {STALE} WHERE collector_id = %s AND last_at >= %s AND first_at < %s",
        [request.collector_id, request.start - HOUR, request.end],
    )
    until = next(first for first, last in found if last is None)
    stale = [(floor(first), floor(last) + HOUR) for first, last in found if last is not None]
    return divide(request, until, stale)


def divide(request: Request, until: datetime, stale: Sequence[Range]) -> Sources:
    """Whole hours before `until` that are not stale are rolled; where raw samples are gone, the first hour is too."""
    only_rolled = request.raw_from is not None and request.start < request.raw_from
    start = floor(request.start) if only_rolled else ceiling(request.start)
    rolled: list[Range] = []
    cursor, limit = start, min(until, floor(request.end))
    for begin, end in sorted(stale):
        rolled.append((cursor, min(begin, limit)))
        cursor = max(cursor, end)
    rolled = [(begin, end) for begin, end in [*rolled, (cursor, limit)] if begin < end]
    edges = [request.start, *(moment for span in rolled for moment in span), request.end]
    raw = [(begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True) if begin < end]
    return Sources(rolled, raw)


def read(request: Request, parts: Sources, now: datetime) -> Series:
    """Two queries: hours with their coverage, and the buckets."""
    hours = _hours(request, parts)
    step = math.ceil(request.wanted_step_s / 3600) * 3600 or 3600
    columns = _buckets(request, parts, timedelta(seconds=step)) if request.metrics else []
    if not hours:
        return Series(request, DEFAULT_INTERVAL_S, step, 0, None, [], columns, "rollup")
    interval = interval_of(hours)
    until, last = min(request.end, now), hours[-1].last_at
    seen = sum(hour.samples for hour in hours)
    coverage = share_seen(seen, hours[0].first_at, last, until, interval)
    gaps = gaps_of(hours, interval) + trailing_gap(last, until, interval)
    return Series(request, interval, step, seen, coverage, gaps, columns, "rollup")


@dataclass(frozen=True)
class Hour:
    """Coverage of one hour, or of the part of it that is asked for; step_s None: it has one sample."""

    hour: datetime
    samples: int
    first_at: datetime
    last_at: datetime
    step_s: float | None
    gap_start: datetime | None
    gap_end: datetime | None


def interval_of(hours: Sequence[Hour]) -> float:
    """Median distance of samples in the newest hours; of samples further apart than that, of the hours' own."""
    within = [hour.step_s for hour in hours if hour.step_s is not None][-INTERVAL_HOURS:]
    between = [(after.first_at - before.last_at).total_seconds() for before, after in itertools.pairwise(hours)]
    distances = within or between
    return max(statistics.median_low(distances), 1.0) if distances else DEFAULT_INTERVAL_S


def gaps_of(hours: Sequence[Hour], interval: float) -> list[Range]:
    """Between hours all gaps, within each hour its longest."""
    longest, found = longest_distance(interval), []
    for before, after in zip([None, *hours], hours, strict=False):
        if before and after.first_at - before.last_at > longest:
            found.append((before.last_at, after.first_at))
        if after.gap_start and after.gap_end and after.gap_end - after.gap_start > longest:
            found.append((after.gap_start, after.gap_end))
    return found[:MAX_GAPS]


def _hours(request: Request, parts: Sources) -> list[Hour]:
    names = "hour, samples, first_at, last_at, step_s, gap_start, gap_end"
    rolled = f"SELECT {names} FROM {COVERAGE} WHERE collector_id = %s AND hour >= %s AND hour < %s AND dataset = %s"  # noqa: S608
    raw = f"({rollups_tables.coverage_of_raw(request.dataset)})"
    sql = " UNION ALL ".join([rolled] * len(parts.rolled) + [raw] * len(parts.raw))
    parameters: list[Any] = []
    for span in parts.rolled:
        parameters += [request.collector_id, *span, request.dataset.name]
    for span in parts.raw:
        parameters += [request.collector_id, *span]
    return [Hour(*row) for row in query(f"{sql} ORDER BY 1", parameters)]


def _buckets(request: Request, parts: Sources, width: timedelta) -> list[Columns]:
    spans = [*parts.rolled, *parts.raw]
    sql = [_rolled(request)] * len(parts.rolled) + [_raw(request)] * len(parts.raw)
    parameters = [width, ORIGIN, *(value for span in spans for value in (request.collector_id, *span))]
    statistics_of = (
        f'sum("{m}_mean"::double precision * "{m}_count") / nullif(sum("{m}_count"), 0), min("{m}_min"),'
        f' max("{m}_max"), max("{m}_p95")'
        for m in request.metrics
    )
    found = f"""
        SELECT instance, date_bin(%s, hour, %s) AS bucket, {", ".join(statistics_of)}
        FROM ({" UNION ALL ".join(sql)}) hours GROUP BY 1, 2 ORDER BY 1, 2
    """  # noqa: S608  # names come from the catalogue
    rows = by_instance(query(found, parameters))
    return [bucket_columns(name, members, request.metrics, width) for name, members in rows]


def _rolled(request: Request) -> str:
    names = ", ".join(f'"{metric}_{name}"' for metric in request.metrics for name in _STATISTICS)
    return f"""
        SELECT {instance_column(request.dataset)} AS instance, hour, {names}
        FROM "{rollups_tables.table(request.dataset)}" WHERE collector_id = %s AND hour >= %s AND hour < %s
    """  # noqa: S608


def _raw(request: Request) -> str:
    made = rollups_tables.columns(request.dataset)
    wanted = (f"{metric}_{name}" for metric in request.metrics for name in _STATISTICS)
    names = ", ".join(f'{made[column][1]} AS "{column}"' for column in wanted)
    return f"""
        (SELECT {instance_column(request.dataset)} AS instance, {rollups_tables.HOUR} AS hour, {names}
        FROM "{request.dataset.table}" WHERE collector_id = %s AND "timestamp" >= %s AND "timestamp" < %s GROUP BY 1, 2)
    """  # noqa: S608
