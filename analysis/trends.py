"""How fast something grows, and when it will be full: pure arithmetic, for charts, alerts and reports alike.

Numpy arrays in, frozen results out. Times are milliseconds since the epoch (int64, ascending); NaN is a value that was
not measured. Nothing here needs Django or a database: reports run without them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Values = NDArray[np.float64]

HOUR = 3_600_000
DAY = 24 * HOUR
MINIMUM_TREND_DAYS = 3
MINIMUM_INTERVAL_DAYS = 5
"""With four points no ranking is rare enough for 95 % (2 ÷ 4! = 8 %)."""


@dataclass(frozen=True)
class Trend:
    """Slope a day over `days` daily means; `low` to `high` is its 95 % interval, or None under five days."""

    per_day: float
    days: int
    low: float | None
    high: float | None

    @property
    def is_certain(self) -> bool:
        """The interval exists and leaves out zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True)
class Filling:
    """Growth of a filesystem or of memory (MB a day, 95 % interval) and days until full; `reason`: why no forecast."""

    used: float
    total: float
    trend: Trend | None
    reason: str = ""

    @property
    def days(self) -> tuple[float, float] | None:
        """Earliest and latest day of being full, where growth is certain."""
        if self.reason or self.trend is None or not self.trend.low or not self.trend.high or self.trend.low <= 0:
            return None
        left = max(self.total - self.used, 0.0)
        return left / self.trend.high, left / self.trend.low


def sampling_interval(times: Times) -> int:
    """Median distance between samples in ms; 0 for fewer than two."""
    return int(np.median(np.diff(times))) if times.size > 1 else 0


def daily_means(times: Times, values: Values) -> tuple[NDArray[np.int64], Values]:
    """Number and mean of each 24-hour block from the first sample that is at least half covered.

    Blocks, not calendar days: each holds one whole daily cycle, so that a half day at the edge bends no trend.
    """
    measured = ~np.isnan(values)
    if not measured.any():
        return np.empty(0, dtype=np.int64), np.empty(0)
    block = (times[measured] - times[0]) // DAY
    number = np.bincount(block)
    total = np.bincount(block, weights=values[measured])
    expected = DAY / max(sampling_interval(times), 1)
    full = np.flatnonzero(number >= expected / 2)
    return full.astype(np.int64), total[full] / number[full]


def fit_trend(times: Times, values: Values) -> Trend | None:
    """Theil–Sen slope of the daily means with Sen's interval (Sen 1968, JASA 63); None under three days."""
    return fit_daily(*daily_means(times, values))


def fit_daily(days: NDArray[np.int64], means: Values) -> Trend | None:
    """The same of daily means and the numbers of their days."""
    count = int(days.size)
    if count < MINIMUM_TREND_DAYS:
        return None
    first, second = np.triu_indices(count, 1)
    slopes = np.sort((means[second] - means[first]) / (days[second] - days[first]))
    low, high = _sen_interval(slopes, count) if count >= MINIMUM_INTERVAL_DAYS else (None, None)
    return Trend(float(np.median(slopes)), count, low, high)


def _sen_interval(slopes: Values, count: int) -> tuple[float, float]:
    """Ranks of the sorted pair slopes that hold the true slope 95 % of the time, from Kendall's variance."""
    reach = 1.96 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    lower = max(0, math.floor((slopes.size - reach) / 2) - 1)
    upper = min(slopes.size - 1, math.ceil((slopes.size + reach) / 2))
    return float(slopes[lower]), float(slopes[upper])


def fill(times: Times, used: Values, total: float) -> Filling:
    """Whether and when something will be full, from samples of what is used."""
    return fill_daily(*daily_means(times, used), float(used[~np.isnan(used)][-1]), total)


def fill_daily(days: NDArray[np.int64], means: Values, last: float, total: float) -> Filling:
    """Whether and when something of which `last` is used will be full, from the daily means of what was used.

    A sawtooth (what was freed is more than a quarter of what was added) has no date; under five days there is none.
    """
    trend = fit_daily(days, means)
    if trend is None or trend.low is None:
        return Filling(last, total, trend, "history under five days")
    steps = np.diff(means)
    added, freed = float(steps[steps > 0].sum()), float(-steps[steps < 0].sum())
    if added > 0.002 * total and freed > 0.25 * added:
        return Filling(last, total, trend, "it is emptied from time to time")
    if trend.low <= 0 or trend.per_day * days.size < 0.002 * total:
        return Filling(last, total, trend, "no certain growth")
    return Filling(last, total, trend)
