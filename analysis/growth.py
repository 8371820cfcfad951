"""Daily means of something that fills, of many machines at once, from the hourly roll-ups.

A day is the 24 hours before the instant asked about, and so on back; each holds one whole daily cycle.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from analysis import rollups_tables
from analysis.series_shapes import instance_column, query
from analysis.trends import Filling, fill_daily
from core.catalogue import Dataset

DAYS = 14
LEAST_HOURS = 12
"""Of a day: fewer, and it says nothing of the whole day."""


@dataclass(frozen=True)
class Hour:
    """Means of an hour of one machine or mount."""

    hour: datetime
    used: float
    total: float


def read(
    dataset: Dataset, used: str, total: str, collector_ids: Sequence[int], start: datetime, end: datetime
) -> dict[tuple[int, str], list[Hour]]:
    """Hours with start ≤ hour < end, oldest first, by machine and instance. used, total: SQL over the roll-ups."""
    found = f"""
        SELECT collector_id, {instance_column(dataset)}, hour, ({used})::float8, ({total})::float8
        FROM "{rollups_tables.table(dataset)}"
        WHERE collector_id = ANY(%s) AND hour >= %s AND hour < %s
          AND ({used}) IS NOT NULL AND ({total}) IS NOT NULL
        ORDER BY hour
    """  # noqa: S608  # formulas are ours
    rows: dict[tuple[int, str], list[Hour]] = {}
    for collector_id, instance, *hour in query(found, [list(collector_ids), start, end]):
        rows.setdefault((collector_id, instance or ""), []).append(Hour(*hour))
    return rows


def _hour(one: Hour) -> datetime:
    return one.hour


def filling(hours: Sequence[Hour], at: datetime) -> Filling | None:
    """How it grew in the fourteen days before `at`, and when it will be full; None for hours that say nothing."""
    first, last = (bisect_left(hours, edge, key=_hour) for edge in (at - timedelta(days=DAYS), at))
    recent = hours[first:last]
    if not recent:
        return None
    back = np.array([(at - hour.hour).total_seconds() for hour in recent])
    block = DAYS - 1 - (np.ceil(back / 86_400).astype(np.int64) - 1)
    number = np.bincount(block, minlength=DAYS)
    totals = np.bincount(block, weights=np.array([hour.used for hour in recent]), minlength=DAYS)
    days = np.flatnonzero(number >= LEAST_HOURS)
    return fill_daily(days, totals[days] / number[days], recent[-1].used, recent[-1].total)
