"""What the page Compare says: hourly means of each side, day by day against each other, in the words of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from analysis import series
from collectors.models import Collector
from core.catalogue import SYSTEM
from reports.comparison import Compared, compare, compare_same_days
from reports.measures import MEASURES, Measure
from reports.patterns import Hourly, hourly_means
from reports.statistics import Values
from reports.table import Samples
from reports.wording import Clock

MOST_SIDES, MOST_MEASURES = 6, 8
_OF_CORES = ("cpu_imbalance", "cpu_busiest", "load_per_core", "run_queue_per_core")
_SIZES = ("cpu_idle", "mem_total_mb", "swap_total_mb")
COMPARABLE = {name: measure for name, measure in MEASURES.items() if name not in (*_OF_CORES, *_SIZES)}
"""Those that need single cores have no hourly means; sizes do not change."""
USUAL = ("cpu_busy", "mem_used_percent", "disk_await_ms", "net_mb")


@dataclass(frozen=True)
class Side:
    """A machine over a period, under the name it has in charts and tables."""

    title: str
    collector: Collector
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Question:
    """Every side is compared with the first. same_days: two machines over one period; else two periods."""

    sides: Sequence[Side]
    measures: Sequence[Measure]
    zone: ZoneInfo
    same_days: bool
    raw_from: datetime


@dataclass(frozen=True)
class Found:
    """One measure: the hours of each side that has it, by the side's title, and each later side against the first."""

    measure: Measure
    hours: Mapping[str, Hourly]
    compared: Mapping[str, Compared | None]


def answer(question: Question, now: datetime) -> list[Found]:
    """Three queries a side. Intervals hold together at 95 % over all that is compared."""
    sides = {side.title: _samples(question, side, now) for side in question.sides}
    clock = Clock(question.zone)
    hours = {
        measure.name: {title: found for title, samples in sides.items() if (found := _hourly(samples, measure, clock))}
        for measure in question.measures
    }
    first, *others = (side.title for side in question.sides)
    count = sum(first in found and other in found for found in hours.values() for other in others)
    match = compare_same_days if question.same_days else compare
    return [
        Found(measure, found, {
            other: match(found[first], found[other], count) if first in found and other in found else None
            for other in others
        })
        for measure in question.measures
        for found in (hours[measure.name],)
    ]  # fmt: skip


def _samples(question: Question, side: Side, now: datetime) -> Samples:
    """Hourly means as if they were samples an hour apart, so that measures are worked out as in reports."""
    names = sorted({name for measure in question.measures for name in needs(measure)})
    request = series.Request(side.collector.pk, SYSTEM, names, side.start, side.end, raw_from=question.raw_from)
    columns = series.hourly(request, now).columns
    if not columns:
        return Samples(np.empty(0, dtype=np.int64), {})
    known = {name: _values(columns[0].mean.get(name, [])) for name in names}
    measured = {name: values for name, values in known.items() if values.size and not np.isnan(values).all()}
    return Samples(np.array(columns[0].timestamps, dtype=np.int64), measured)


def _values(column: Sequence[float | None]) -> Values:
    return np.array([np.nan if value is None else value for value in column], dtype=np.float64)


def _hourly(samples: Samples, measure: Measure, clock: Clock) -> Hourly | None:
    values = measure.values(samples)
    if values is None or np.isnan(values).all():
        return None
    return hourly_means(clock.local(samples.times), values)


def needs(measure: Measure) -> list[str]:
    """The metrics that a measure is worked out from."""
    asked = _Asked()
    measure.values(Samples(np.empty(0, dtype=np.int64), asked))
    return asked.names


class _Asked(dict[str, Values]):
    """Has no column, and remembers which were wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def get(self, name: str, default: object = None) -> None:  # type: ignore[override]  # never has one
        self.names.append(name)


def week_rows(hours: Mapping[str, Hourly]) -> list[dict[str, object]]:
    """The median of each hour of the week, from Monday; the epoch was a Thursday."""
    rows: list[dict[str, object]] = []
    for title, hourly in hours.items():
        place = (hourly.hours + 72) % 168
        for hour in range(168):
            there = place == hour
            value = round(float(np.median(hourly.means[there])), 4) if there.any() else None
            rows.append({"hour": hour + 0.5, "metric": title, "value": value})
    return rows


def time_rows(hours: Mapping[str, Hourly]) -> list[dict[str, object]]:
    """Each hour on the wall clock (ms, as if it were UTC), an empty one in each gap."""
    rows: list[dict[str, object]] = []
    for title, hourly in hours.items():
        before = None
        for hour, mean in zip(hourly.hours.tolist(), hourly.means.tolist(), strict=True):
            if before is not None and hour > before + 1:
                rows.append({"timestamp": (before + 1) * 3_600_000, "metric": title, "value": None})
            rows.append({"timestamp": hour * 3_600_000, "metric": title, "value": round(mean, 4)})
            before = hour
    return rows
