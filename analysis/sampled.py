"""A few samples evenly picked from a range, at a cost that neither the range nor the number of cores changes.

For what has no roll-up: the busy percent of each core (an array), and the processes of an instant.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

from analysis.series_shapes import milliseconds, query
from core.catalogue import PROCESSES, SYSTEM

MAX_ROWS = 64
SAMPLES_PER_CELL = 12
MOST_VALUES = 120 * 12 * 16
"""Values of cores that one answer reads: 12 samples a cell up to 16 cores, fewer of more cores."""
INTERVALS_PER_CELL = 2
NEWEST = 50
DEFAULT_INTERVAL = timedelta(minutes=1)


@dataclass(frozen=True)
class Span:
    """A machine's samples in start ≤ timestamp < end, in about `points` steps."""

    collector_id: int
    start: datetime
    end: datetime
    points: int


@dataclass(frozen=True)
class Cores:
    """Busy percent by time and row. A row is `cores_per_row` cores, its value the busiest of them.

    A cell is the mean of at most `samples_per_cell` samples; a time without samples is left out.
    """

    cores: int = 0
    cores_per_row: int = 1
    step_s: float = 0.0
    samples_per_cell: int = 0
    timestamps: list[int] = field(default_factory=list)
    busy: list[list[float | None]] = field(default_factory=list)


def cores(span: Span) -> Cores:
    """Two queries."""
    count, interval = _shape(span)
    if not count:
        return Cores()
    step = _step(span, interval)
    cells = -((span.start - span.end) // step)
    per_row = -(-count // MAX_ROWS)
    per_cell = max(2, min(SAMPLES_PER_CELL, MOST_VALUES // (cells * count), round(step / interval)))
    begin = _aligned(span.start, step)
    rows = query(_CORES, [per_cell, per_row, (cells + 1) * per_cell, span.collector_id, begin, step / per_cell,
                          begin, step / per_cell, span.start, span.end])  # fmt: skip
    timestamps = [milliseconds(begin + cell * step) for cell, _ in rows]
    return Cores(count, per_row, step.total_seconds(), per_cell, timestamps, [_rounded(busy) for _, busy in rows])


def _shape(span: Span) -> tuple[int, timedelta]:
    """Cores of the newest samples, and the median distance of these."""
    found = query(_NEWEST, [span.collector_id, span.start, span.end])
    distances = [later - earlier for (later, _), (earlier, _) in pairwise(found)]
    interval = max(statistics.median_low(distances), timedelta(seconds=1)) if distances else DEFAULT_INTERVAL
    return max((count or 0 for _, count in found), default=0), interval


def _step(span: Span, interval: timedelta) -> timedelta:
    """A whole number of intervals, at least so many that jitter leaves no cell empty."""
    wanted = (span.end - span.start) / span.points
    return interval * max(INTERVALS_PER_CELL, -(-wanted // interval))


def _aligned(moment: datetime, step: timedelta) -> datetime:
    """Cells begin at multiples of their width, so that they stay where they are while the range moves on."""
    width = step.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // width * width, moment.tzinfo)


def _rounded(busy: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(value, 1) for value in busy]


def processes(span: Span) -> list[dict[str, Any]]:
    """The processes of the newest sample in each step, those that use most CPU first. One query."""
    step = (span.end - span.start) / span.points
    rows = query(
        _PROCESSES, [span.points - 1, span.collector_id, span.start, step, span.start, step, span.collector_id]
    )
    names = ("pid", "name", "user", "cpu", "rss_mb")
    return [
        {"timestamp": milliseconds(moment), "processes": [dict(zip(names, row[1:], strict=True)) for row in members]}
        for moment, members in groupby(rows, key=lambda row: row[0])
    ]


_NEWEST = f"""
    SELECT "timestamp", cardinality(cpu_cores) FROM "{SYSTEM.table}"
    WHERE collector_id = %s AND "timestamp" >= %s AND "timestamp" < %s ORDER BY "timestamp" DESC LIMIT {NEWEST}
"""  # noqa: S608  # names come from the catalogue
_CORES = f"""
    SELECT cell, array_agg(busy ORDER BY place) FROM (
        SELECT cell, (core - 1) / per_row AS place, max(mean) AS busy FROM (
            SELECT slot / %s AS cell, %s AS per_row, core, avg(busy) AS mean
            FROM generate_series(0, %s - 1) AS slot CROSS JOIN LATERAL (
                SELECT cpu_cores FROM "{SYSTEM.table}" WHERE collector_id = %s
                AND "timestamp" >= %s::timestamptz + slot * %s::interval
                AND "timestamp" < %s::timestamptz + (slot + 1) * %s::interval
                AND "timestamp" >= %s AND "timestamp" < %s ORDER BY "timestamp" LIMIT 1
            ) sample CROSS JOIN unnest(cpu_cores) WITH ORDINALITY AS one(busy, core)
            GROUP BY cell, per_row, core
        ) means GROUP BY cell, place
    ) grid GROUP BY cell ORDER BY cell
"""  # noqa: S608
_PROCESSES = f"""
    SELECT process."timestamp", pid, name, "user", cpu, rss_mb
    FROM generate_series(0, %s) AS slot CROSS JOIN LATERAL (
        SELECT "timestamp" FROM "{PROCESSES.table}" WHERE collector_id = %s
        AND "timestamp" >= %s::timestamptz + slot * %s::interval
        AND "timestamp" < %s::timestamptz + (slot + 1) * %s::interval ORDER BY "timestamp" DESC LIMIT 1
    ) newest JOIN "{PROCESSES.table}" process ON process.collector_id = %s AND process."timestamp" = newest."timestamp"
    ORDER BY process."timestamp", cpu DESC NULLS LAST, pid
"""  # noqa: S608
