"""Two periods of one machine, or two machines, against each other: matched days, an interval and an effect size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.patterns import Hourly
from reports.statistics import Values

MINIMUM_PAIRS = 4
HOURS_OF_A_DAY = 18
"""A day counts when this many of its hours are covered."""
LEAST_SHARE = 0.03
"""A change under three percent of the former level is not called real, however certain."""


@dataclass(frozen=True)
class Period:
    """From `start` to before `end`, in ms."""

    start: int
    end: int


@dataclass(frozen=True)
class Compared:
    """Means of matched days, their difference with its interval, and Cliff's delta of the hours (−1 to 1).

    `is_real`: the interval leaves out zero and the change is at least three percent of the former level.
    """

    before: float
    after: float
    change: float
    low: float
    high: float
    delta: float
    days: int

    @property
    def is_real(self) -> bool:
        least = LEAST_SHARE * max(abs(self.before), abs(self.after))
        return (self.low > 0 or self.high < 0) and abs(self.change) >= least

    @property
    def verdict(self) -> str:
        return "no real change" if not self.is_real else "higher" if self.change > 0 else "lower"


def compare(before: Hourly, after: Hourly, comparisons: int = 1) -> Compared | None:
    """Each day after against the mean of the same weekday before, hour by hour; None under four matched days.

    Student's interval of the differences of days, which unlike hours are nearly independent; Bonferroni's share of 95 %
    for each of `comparisons`, so that all hold together.
    """
    first, second = _days(before), _days(after)
    pairs = [pair for day, hours in second.items() if (pair := _pair(_weekday(first, day), hours)) is not None]
    return _compared(pairs, before, after, comparisons)


def compare_same_days(one: Hourly, other: Hourly, comparisons: int = 1) -> Compared | None:
    """Two machines over the same days, each day of the one against that day of the other; else as `compare`.

    What the days have in common (a holiday, a busy week) falls out of the differences.
    """
    first, second = _days(one), _days(other)
    both = [day for day in second if day in first]
    pairs = [pair for day in both if (pair := _pair([first[day]], second[day])) is not None]
    return _compared(pairs, one, other, comparisons)


def _compared(pairs: list[tuple[float, float]], before: Hourly, after: Hourly, comparisons: int) -> Compared | None:
    if len(pairs) < MINIMUM_PAIRS:
        return None
    differences = np.array([now - then for then, now in pairs])
    mean = float(differences.mean())
    reach = float(differences.std(ddof=1)) / math.sqrt(differences.size)
    reach *= student_quantile(1 - 0.025 / comparisons, differences.size - 1)
    level = np.mean(pairs, axis=0)
    delta = cliffs_delta(before.means, after.means)
    return Compared(float(level[0]), float(level[1]), mean, mean - reach, mean + reach, delta, len(pairs))


def _days(hourly: Hourly) -> dict[int, dict[int, float]]:
    """Hour of day → mean, of each day that is well covered."""
    found: dict[int, dict[int, float]] = {}
    for hour, mean in zip(hourly.hours.tolist(), hourly.means.tolist(), strict=True):
        found.setdefault(hour // 24, {})[hour % 24] = mean
    return {day: hours for day, hours in found.items() if len(hours) >= HOURS_OF_A_DAY}


def _weekday(days: dict[int, dict[int, float]], day: int) -> list[dict[int, float]]:
    """Those of the same weekday."""
    return [hours for other, hours in days.items() if other % 7 == day % 7]


def _pair(same: list[dict[int, float]], hours: dict[int, float]) -> tuple[float, float] | None:
    """Means of the days before and of that day, over the hours that both have."""
    shared = [hour for hour in hours if any(hour in known for known in same)]
    if len(shared) < HOURS_OF_A_DAY:
        return None
    then = [float(np.mean([known[hour] for known in same if hour in known])) for hour in shared]
    return float(np.mean(then)), float(np.mean([hours[hour] for hour in shared]))


def cliffs_delta(before: Values, after: Values) -> float:
    """P(after > before) − P(after < before), of all pairs (Cliff 1993)."""
    if not before.size or not after.size:
        return 0.0
    ordered = np.sort(before)
    below = np.searchsorted(ordered, after, "left").sum()
    above = before.size * after.size - np.searchsorted(ordered, after, "right").sum()
    return float((below - above) / (before.size * after.size))


def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t above one half, by integrating its density."""
    place = np.expm1(np.linspace(0, math.log(2_000), 40_001))
    logarithm = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - 0.5 * math.log(freedom * math.pi)
    density = np.exp(logarithm - (freedom + 1) / 2 * np.log1p(place**2 / freedom))
    share = 0.5 + np.concatenate(([0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(place))))
    return float(np.interp(probability, share, place))


def within(hourly: Hourly, first_hour: float, end_hour: float) -> Hourly:
    """The hours that lie in a period (hours of the wall clock since the epoch)."""
    kept = (hourly.hours >= first_hour) & (hourly.hours < end_hour)
    return Hourly(hourly.hours[kept], hourly.means[kept])
