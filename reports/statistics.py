"""Pure arithmetic on samples: numpy arrays in, frozen results out. NaN is a value that was not measured.

Times are milliseconds since the epoch (int64, ascending). Percentiles come from samples, never from means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.trends import DAY as DAY
from analysis.trends import HOUR as HOUR
from analysis.trends import Times as Times
from analysis.trends import Values as Values
from analysis.trends import sampling_interval

GAP_INTERVALS = 2
UNDER_WAY = 600_000


@dataclass(frozen=True)
class Summary:
    """Of the measured values only; `at` is when the maximum was first reached (ms)."""

    count: int
    mean: float
    median: float
    p95: float
    p99: float
    maximum: float
    at: int


@dataclass(frozen=True)
class Gap:
    """Two consecutive samples further apart than two intervals (ms), or an edge of the period and one; and why."""

    start: int
    end: int
    reason: str = "unknown"

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Coverage:
    """Samples seen and expected between `start` and `end` at the median interval (ms)."""

    seen: int
    expected: int
    interval: int
    start: int
    end: int
    gaps: tuple[Gap, ...]

    @property
    def share(self) -> float:
        return min(1.0, self.seen / self.expected)


@dataclass(frozen=True)
class Buckets:
    """Mean, minimum and maximum of equal spans of time; NaN where a span has no sample."""

    times: Times
    mean: Values
    minimum: Values
    maximum: Values


@dataclass(frozen=True)
class Excess:
    """How often values lay at or beyond a threshold, and the longest unbroken run of such samples."""

    count: int
    samples: int
    longest: int

    @property
    def share(self) -> float:
        return self.count / self.samples if self.samples else 0.0


def summarise(times: Times, values: Values) -> Summary | None:
    """The statistics of a metric, or None when nothing was measured."""
    measured = ~np.isnan(values)
    if not measured.any():
        return None
    kept = values[measured]
    median, p95, p99 = (float(value) for value in np.percentile(kept, (50, 95, 99)))
    top = int(np.argmax(kept))
    return Summary(kept.size, float(kept.mean()), median, p95, p99, float(kept[top]), int(times[measured][top]))


def cover(times: Times, period: tuple[int, int] | None = None) -> Coverage:
    """What was seen of what the median interval promises, from the first to the last sample or over a whole period.

    Of a period, a stretch without samples at its beginning or end is a gap like any other; one of under ten minutes
    at the end is not: what was measured then may still be under way.
    """
    interval = sampling_interval(times)
    edges = _edges(times, interval, period)
    start, end = int(edges[0]), int(edges[-1])
    expected = round((end - start) / interval) + 1 if interval else int(times.size)
    return Coverage(int(times.size), max(expected, 1), interval, start, end, find_gaps(edges, interval))


def _edges(times: Times, interval: int, period: tuple[int, int] | None) -> Times:
    """The samples' times, with the bounds of the period where these are further off than a gap."""
    if period is None:
        return times
    start, end = period
    before = [start] if times[0] - start > GAP_INTERVALS * interval else []
    after = [end] if end - times[-1] > max(GAP_INTERVALS * interval, UNDER_WAY) else []
    return np.concatenate((np.array(before, np.int64), times, np.array(after, np.int64)))


def find_gaps(times: Times, interval: int) -> tuple[Gap, ...]:
    steps = np.diff(times)
    starts = np.flatnonzero(steps > GAP_INTERVALS * interval)
    return tuple(Gap(int(times[at]), int(times[at + 1])) for at in starts)


def downsample(times: Times, values: Values, interval: int, points: int = 480) -> Buckets:
    """At most about `points` rows; every gap of more than two intervals, or an empty span, becomes a NaN row."""
    if times.size <= points:
        return _with_breaks(times, values, interval)
    start = int(times[0])
    width = math.ceil((int(times[-1]) - start + 1) / points)
    place = (times - start) // width
    count = int(place[-1]) + 1
    measured = ~np.isnan(values)
    where, kept = place[measured], values[measured]
    number = np.bincount(where, minlength=count)
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, where, kept)
    np.maximum.at(high, where, kept)
    empty = number == 0
    total = np.bincount(where, weights=kept, minlength=count)
    mean = np.where(empty, np.nan, total / np.maximum(number, 1))
    middle = start + np.arange(count, dtype=np.int64) * width + width // 2
    return Buckets(middle, mean, np.where(empty, np.nan, low), np.where(empty, np.nan, high))


def _with_breaks(times: Times, values: Values, interval: int) -> Buckets:
    """The samples themselves, with a NaN row inside each gap."""
    after = np.flatnonzero(np.diff(times) > GAP_INTERVALS * interval) + 1
    broken = np.insert(values, after, np.nan)
    return Buckets(np.insert(times, after, times[after - 1] + 1), broken, broken, broken)


def exceed(values: Values, threshold: float, *, below: bool = False) -> Excess:
    """Samples at or above the threshold (or at or below it); unmeasured samples neither count nor break a run."""
    kept = values[~np.isnan(values)]
    hits = kept <= threshold if below else kept >= threshold
    edges = np.flatnonzero(np.diff(np.concatenate(([0], hits.astype(np.int8), [0]))))
    runs = edges[1::2] - edges[::2]
    return Excess(int(hits.sum()), int(kept.size), int(runs.max()) if runs.size else 0)


def day_hour_means(local: Times, values: Values) -> dict[tuple[int, int], float]:
    """Mean of each (day number since the epoch, hour of day) of wall-clock times; a cell without samples is absent."""
    measured = ~np.isnan(values)
    cells, place = np.unique(local[measured] // HOUR, return_inverse=True)
    means = np.bincount(place, weights=values[measured]) / np.maximum(np.bincount(place), 1)
    return {(int(cell) // 24, int(cell) % 24): float(mean) for cell, mean in zip(cells, means, strict=True)}


def histogram(values: Values, bins: int = 24) -> list[tuple[float, float, float]]:
    """Lower bound, upper bound and share in percent of each of equal bins from zero to the maximum."""
    kept = values[~np.isnan(values)]
    top = float(kept.max()) if kept.size and kept.max() > 0 else 1.0
    counts, edges = np.histogram(kept, bins=bins, range=(min(0.0, float(kept.min())) if kept.size else 0.0, top))
    shares = counts * 100 / max(kept.size, 1)
    return [(float(a), float(b), float(share)) for a, b, share in zip(edges[:-1], edges[1:], shares, strict=True)]


def cumulate(values: Values, points: int = 100) -> list[tuple[float, float]]:
    """The empirical distribution at evenly spaced shares: (value, percent of samples at or below it)."""
    kept = values[~np.isnan(values)]
    if not kept.size:
        return []
    shares = np.linspace(0, 100, points + 1)
    return [(float(v), float(s)) for v, s in zip(np.percentile(kept, shares), shares, strict=True)]
