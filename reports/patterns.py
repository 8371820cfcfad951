"""What repeats and what breaks the pattern: usual hours, anomalies, change points, forecasts, correlation, filling.

Pure arithmetic on hourly means of wall-clock time. Every function refuses a history too short to carry its answer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analysis.trends import fit_trend
from reports.statistics import HOUR, Times, Values

MAD = 1.4826
"""Median absolute deviation × this = standard deviation of a normal distribution."""
MINIMUM_PATTERN_DAYS = 5
WEEKLY_PATTERN_HOURS = 3 * 168
ANOMALY_SCORE = 6.0
CHANGE_SCORE = 5.0
CHANGE_HOURS = 24
MINIMUM_FORECAST_DAYS = 7
MAXIMUM_FORECAST_DAYS = 14
SLOT = HOUR // 4
SLOTS_A_DAY = 96
MAXIMUM_LAG = 8


@dataclass(frozen=True)
class Hourly:
    """Mean of each hour that is at least half covered; `hours` are hours since the epoch of the wall clock."""

    hours: NDArray[np.int64]
    means: Values

    @property
    def days(self) -> float:
        return (int(self.hours[-1]) - int(self.hours[0]) + 1) / 24 if self.hours.size else 0.0

    @property
    def period(self) -> int:
        """Hours after which the pattern repeats: a week once three were seen, else a day."""
        return 168 if self.days * 24 >= WEEKLY_PATTERN_HOURS else 24


@dataclass(frozen=True)
class Anomaly:
    """Consecutive hours off the pattern, from `start` to before `end`: highest deviation, and what is usual then."""

    start: int
    end: int
    mean: float
    usual: float
    score: float


@dataclass(frozen=True)
class Change:
    """The level before and from an hour on, seasonality removed."""

    hour: int
    before: float
    after: float


@dataclass(frozen=True)
class Forecast:
    """Hourly expectation with its 90 % range; `error` is the mean miss when the last `tested` days were forecast."""

    hours: NDArray[np.int64]
    middle: Values
    low: Values
    high: Values
    error: float
    naive: float
    tested: int


def hourly_means(local: Times, values: Values) -> Hourly:
    """Hours with less than half the usual number of samples are left out."""
    measured = ~np.isnan(values)
    if not measured.any():
        return Hourly(np.empty(0, dtype=np.int64), np.empty(0))
    hours, place = np.unique(local[measured] // HOUR, return_inverse=True)
    number = np.bincount(place)
    full = number >= np.median(number) / 2
    return Hourly(hours[full], (np.bincount(place, weights=values[measured]) / number)[full])


def usual(hourly: Hourly) -> Values | None:
    """The median of the same hour of the week (of the day, under three weeks); None under five days."""
    if hourly.days < MINIMUM_PATTERN_DAYS:
        return None
    return _profile(hourly.hours, hourly.means, hourly.period)[hourly.hours % hourly.period]


def _profile(hours: NDArray[np.int64], means: Values, period: int) -> Values:
    """Median by phase; a phase never seen has the median of all."""
    profile = np.full(period, float(np.median(means)))
    phases = hours % period
    for phase in np.unique(phases):
        profile[phase] = float(np.median(means[phases == phase]))
    return profile


def find_anomalies(hourly: Hourly, least: float) -> list[Anomaly] | None:
    """Hours at least `least` and six robust deviations off the pattern, worst first; None when there is no pattern."""
    pattern = usual(hourly)
    if pattern is None:
        return None
    off = _off(hourly, pattern, least)
    scale = max(MAD * float(np.median(np.abs(off - np.median(off)))), least / ANOMALY_SCORE, 1e-12)
    hits = np.flatnonzero(np.abs(off) / scale >= ANOMALY_SCORE)
    groups = np.split(hits, np.flatnonzero(np.diff(hourly.hours[hits]) > 1) + 1) if hits.size else []
    found = []
    for group in groups:
        top = group[int(np.argmax(np.abs(off[group])))]
        start, end = int(hourly.hours[group[0]]), int(hourly.hours[group[-1]]) + 1
        found.append(
            Anomaly(
                start, end, float(hourly.means[top]), float(hourly.means[top] - off[top]), float(abs(off[top]) / scale)
            )
        )
    return sorted(found, key=lambda anomaly: -anomaly.score)


def _off(hourly: Hourly, pattern: Values, least: float) -> Values:
    """Deviation from the pattern, each stretch between lasting changes from its own level."""
    off = hourly.means - pattern
    edges = [0, *sorted(_splits(off, 0, least)), off.size]
    return np.concatenate([off[a:b] - np.median(off[a:b]) for a, b in pairwise(edges)])


def find_changes(hourly: Hourly, least: float) -> list[Change] | None:
    """Lasting steps of at least `least`, seasonality removed, by binary segmentation; None without a pattern.

    The score of a split is its difference of means over its standard error, widened for autocorrelation.
    """
    pattern = usual(hourly)
    if pattern is None:
        return None
    level = hourly.means - pattern + float(np.median(hourly.means))
    splits = sorted(_splits(level, 0, least))
    edges = [0, *splits, level.size]
    medians = [float(np.median(level[a:b])) for a, b in pairwise(edges)]
    return [Change(int(hourly.hours[at]), medians[n], medians[n + 1]) for n, at in enumerate(splits)]


def _splits(level: Values, offset: int, least: float) -> list[int]:
    count = level.size
    if count < 2 * CHANGE_HOURS:
        return []
    at = np.arange(CHANGE_HOURS, count - CHANGE_HOURS + 1)
    total = np.cumsum(level)
    difference = (total[-1] - total[at - 1]) / (count - at) - total[at - 1] / at
    best = int(np.argmax(np.abs(difference) * np.sqrt(at * (count - at))))
    split = int(at[best])
    step = float(difference[best])
    before, after = level[:split], level[split:]
    noise = np.concatenate((before - np.median(before), after - np.median(after)))
    error = _deviation(noise) * math.sqrt(count / (split * (count - split)))
    if abs(step) < least or abs(step) < CHANGE_SCORE * error or _is_slope(level, noise):
        return []
    return [*_splits(before, offset, least), offset + split, *_splits(after, offset + split, least)]


def _deviation(noise: Values) -> float:
    """Standard deviation as independent samples would need it: widened by the first autocorrelation."""
    scale = float(np.std(noise)) or 1e-12
    first = float(np.mean(noise[1:] * noise[:-1])) / scale**2
    kept = min(max(first, 0.0), 0.95)
    return scale * math.sqrt((1 + kept) / (1 - kept))


def _is_slope(level: Values, noise: Values) -> bool:
    """A straight line explains it as well as a step does: then it is a trend, which is told elsewhere."""
    place = np.arange(level.size)
    line = np.polyval(np.polyfit(place, level, 1), place)
    return float(np.sum((level - line) ** 2)) <= 1.1 * float(np.sum(noise**2))


def forecast(hourly: Hourly) -> Forecast | str:
    """The next days by pattern and trend, or the sentence that says why there is no forecast.

    Half as many days as were seen, a week at most. Each of the last days is forecast from what lay before it.
    """
    days = int(hourly.days)
    if days < MINIMUM_FORECAST_DAYS:
        return f"{days} days are too short a history: a forecast asks for {MINIMUM_FORECAST_DAYS}."
    tests = min(days // 3, MAXIMUM_FORECAST_DAYS)
    misses, naive = _back_test(hourly, tests)
    if not misses.size:
        return "too few hours are covered to test a forecast."
    error, naive_error = float(np.mean(np.abs(misses))), float(np.mean(np.abs(naive)))
    if error > 1.25 * naive_error and error > 0.05 * float(np.median(np.abs(hourly.means))):
        return (
            "the values follow no pattern that lasts: forecasting the days that are known missed by more than "
            "repeating the day before does."
        )
    ahead = hourly.hours[-1] + 1 + np.arange(24 * min(7, days // 2), dtype=np.int64)
    middle = _expect(hourly, ahead)
    low, high = (float(value) for value in np.percentile(misses, (5, 95)))
    return Forecast(ahead, middle, middle + low, middle + high, error, naive_error, tests)


def since(hourly: Hourly, hour: int) -> Hourly:
    """The hours from that one on."""
    kept = hourly.hours >= hour
    return Hourly(hourly.hours[kept], hourly.means[kept])


def _back_test(hourly: Hourly, tests: int) -> tuple[Values, Values]:
    """Misses (measured − expected) of each of the last days, by the model and by repeating the day before."""
    last = int(hourly.hours[-1])
    known = dict(zip(hourly.hours.tolist(), hourly.means.tolist(), strict=True))
    misses, naive = [np.empty(0)], [np.empty(0)]
    for back in range(tests, 0, -1):
        cut = last + 1 - 24 * back
        seen = hourly.hours < cut
        target = (hourly.hours >= cut) & (hourly.hours < cut + 24)
        if seen.sum() < 48 or not target.any():
            continue
        past = Hourly(hourly.hours[seen], hourly.means[seen])
        misses.append(hourly.means[target] - _expect(past, hourly.hours[target]))
        day_before = np.array([known.get(hour - 24, np.nan) for hour in hourly.hours[target].tolist()])
        naive.append((hourly.means[target] - day_before)[~np.isnan(day_before)])
    return np.concatenate(misses), np.concatenate(naive)


def _expect(past: Hourly, hours: NDArray[np.int64]) -> Values:
    """Pattern of the hour, moved to the level of the last three days, plus the trend where it is certain."""
    period = past.period
    profile = _profile(past.hours, past.means, period)
    recent = past.hours > past.hours[-1] - 72
    level = float(np.median(past.means[recent] - profile[past.hours[recent] % period]))
    trend = fit_trend(past.hours * HOUR, past.means)
    slope = trend.per_day if trend is not None and trend.is_certain else 0.0
    return np.asarray(profile[hours % period] + level + slope * (hours - past.hours[-1] + 36) / 24, dtype=np.float64)


def correlate(local: Times, columns: dict[str, Values]) -> dict[tuple[str, str], tuple[float, float, int]]:
    """Spearman's rank correlation of each pair at no lag, and the strongest at a lag with that lag (slots of 15 min).

    The pattern of the day is taken out first; else everything that sleeps at night would correlate. Lag > 0: the
    second follows the first. Under two days there is none.
    """
    slots = local // SLOT
    if not slots.size or slots[-1] - slots[0] < 2 * SLOTS_A_DAY:
        return {}
    grids = {name: _adjusted(slots, values) for name, values in columns.items()}
    names = list(grids)
    return {
        (a, b): _lagged(grids[a], grids[b]) for at, a in enumerate(names) for b in names[at + 1 :]
    }  # fmt: skip


def _adjusted(slots: Times, values: Values) -> Values:
    """Slot means on a regular grid, NaN where none, minus the median of that time of day (or week)."""
    place = slots - slots[0]
    measured = ~np.isnan(values)
    size = int(place[-1]) + 1
    number = np.bincount(place[measured], minlength=size)
    total = np.bincount(place[measured], weights=values[measured], minlength=size)
    grid = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    period = SLOTS_A_DAY * (7 if size >= 3 * 7 * SLOTS_A_DAY else 1)
    whole = np.full(-(-size // period) * period, np.nan)
    whole[:size] = grid
    table = whole.reshape(-1, period)
    seen = ~np.isnan(table).all(axis=0)
    table[:, seen] -= np.nanmedian(table[:, seen], axis=0)
    return np.asarray(table.reshape(-1)[:size], dtype=np.float64)


def _lagged(first: Values, second: Values) -> tuple[float, float, int]:
    a, b = _ranks(first), _ranks(second)
    found = {lag: _pearson(a, b, lag) for lag in range(-MAXIMUM_LAG, MAXIMUM_LAG + 1)}
    best = max(found, key=lambda lag: (abs(found[lag]), -abs(lag)))
    return found[0], found[best], best


def _pearson(a: Values, b: Values, lag: int) -> float:
    x, y = (a[: a.size - lag], b[lag:]) if lag >= 0 else (a[-lag:], b[: b.size + lag])
    both = ~(np.isnan(x) | np.isnan(y))
    if both.sum() < SLOTS_A_DAY or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return 0.0
    return float(np.corrcoef(x[both], y[both])[0, 1])


def _ranks(values: Values) -> Values:
    """Average ranks; NaN stays."""
    ranks = np.full(values.size, np.nan)
    kept = np.flatnonzero(~np.isnan(values))
    _, place, number = np.unique(values[kept], return_inverse=True, return_counts=True)
    ends = np.cumsum(number)
    ranks[kept] = ((ends - number + ends + 1) / 2)[place]
    return ranks


def rank_correlation(first: Values, second: Values) -> float:
    """Spearman's rho of two columns of equal length, pairs with NaN left out."""
    both = ~(np.isnan(first) | np.isnan(second))
    if both.sum() < 3:
        return 0.0
    x, y = _ranks(first[both]), _ranks(second[both])
    return float(np.corrcoef(x, y)[0, 1]) if np.ptp(x) and np.ptp(y) else 0.0
