"""What is usual for an hour of the week: from the hourly roll-ups of the same hour in the six weeks before.

An hour is compared with its neighbours too: a nightly job that starts half an hour late is no surprise. Hours of the
week are those of the wall clock in a time zone, so that a change to summer time moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from analysis import rollups_tables
from analysis.rollups import floor
from analysis.series_shapes import instance_column, query
from core.catalogue import Dataset

WEEKS = 6
LEAST_WEEKS = 3
NEIGHBOURS = (-1, 0, 1)
MAD = 1.4826
"""Median absolute deviation × this = standard deviation of a normal distribution."""

Slots = Sequence[Sequence[datetime]]
"""For each neighbour the hours (UTC) of the weeks before."""


@dataclass(frozen=True)
class Usual:
    """low, high: the lowest and highest median of the hour and its neighbours. scale: robust standard deviation of the
    hours behind them from their medians. weeks: how many the hour itself was seen in."""

    low: float
    high: float
    scale: float
    weeks: int
    hours: int


def slots(moment: datetime, zone: ZoneInfo) -> Slots:
    """The hours to compare with the one that holds `moment`."""
    local = moment.astimezone(zone).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    return [
        [_utc(local + timedelta(hours=shift) - timedelta(weeks=week), zone) for week in range(1, WEEKS + 1)]
        for shift in NEIGHBOURS
    ]


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return floor(local.replace(tzinfo=zone).astimezone(UTC))


def read(
    dataset: Dataset, formula: str, collector_ids: Sequence[int], hours: Sequence[datetime]
) -> dict[tuple[int, str], dict[datetime, float]]:
    """The formula over the roll-ups of those hours, by machine and instance. One query."""
    found = f"""
        SELECT collector_id, {instance_column(dataset)}, hour, ({formula})::float8
        FROM "{rollups_tables.table(dataset)}"
        WHERE collector_id = ANY(%s) AND hour = ANY(%s) AND ({formula}) IS NOT NULL
    """  # noqa: S608  # formulas are ours
    means: dict[tuple[int, str], dict[datetime, float]] = {}
    for collector_id, instance, hour, mean in query(found, [list(collector_ids), sorted(set(hours))]):
        means.setdefault((collector_id, instance or ""), {})[hour] = mean
    return means


def usual(means: Mapping[datetime, float], wanted: Slots, least_scale: float) -> Usual | None:
    """None where the hour itself was seen in fewer than three weeks, or half of its neighbourhood was not seen."""
    columns = [[means[hour] for hour in hours if hour in means] for hours in wanted]
    own = columns[NEIGHBOURS.index(0)]
    seen = sum(map(len, columns))
    if len(own) < LEAST_WEEKS or seen < LEAST_WEEKS * len(NEIGHBOURS):
        return None
    medians = [float(np.median(column)) for column in columns if column]
    off = [abs(mean - middle) for column, middle in zip(filter(None, columns), medians, strict=True) for mean in column]
    scale = max(MAD * float(np.median(off)), least_scale, 1e-9)
    return Usual(min(medians), max(medians), scale, len(own), seen)
