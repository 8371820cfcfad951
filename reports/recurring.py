"""Conditions on what comes again: the heavy hours of every night, and the climb after every restart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reports.checked import UNKNOWN, Checked
from reports.measures import MEASURES, measured
from reports.patterns import Hourly, hourly_means, rank_correlation
from reports.statistics import Values
from reports.table import Machine
from reports.wording import Clock, count, number


@dataclass(frozen=True)
class Nightly:
    """An hour between 22:00 and 06:00 lies far above the machine's usual hour, on four of five days or more."""

    measure: str
    factor: float
    least: float
    days: int = 4

    def check(self, machine: Machine, clock: Clock) -> Checked:
        values = measured(machine.system, self.measure)
        if values is None:
            return UNKNOWN
        hourly = hourly_means(clock.local(machine.system.times), values)
        if hourly.days < self.days:
            return UNKNOWN
        usual = float(np.median(hourly.means))
        high = hourly.means >= max(self.factor * usual, self.least)
        heavy = [hour for hour in (22, 23, 0, 1, 2, 3, 4, 5) if self._recurs(high[hourly.hours % 24 == hour])]
        return Checked("met", self._say(heavy, usual, hourly.means, hourly.hours)) if heavy else Checked("clear")

    def _recurs(self, nights: NDArray[np.bool_]) -> bool:
        return nights.size >= self.days and bool(nights.mean() >= 0.8)

    def _say(self, heavy: list[int], usual: float, means: Values, hours: NDArray[np.int64]) -> str:
        measure = MEASURES[self.measure]
        night = means[np.isin(hours % 24, heavy)]
        nights = len(np.unique(hours[np.isin(hours % 24, heavy)] // 24))
        return (
            f"{measure.title} has a mean of {number(float(night.mean()), measure.unit)} between {heavy[0]:02d}:00 and "
            f"{(heavy[-1] + 1) % 24:02d}:00, against {number(usual, measure.unit)} in its median hour (the rule asks "
            f"for {self.factor:g} times that and {number(self.least, measure.unit)}, on four of five nights); "
            f"{count(nights, 'night')}, {count(means.size, 'hour')}."
        )

    def describe(self) -> str:
        return f"{MEASURES[self.measure].title} at {self.factor:g} times its median hour every night"


@dataclass(frozen=True)
class Climbs:
    """The measure rises day after day, falls at once by `fall` or more, and rises again: growth that restarts hide."""

    measure: str
    per_day: float
    fall: float

    def check(self, machine: Machine, clock: Clock) -> Checked:
        values = measured(machine.system, self.measure)
        if values is None:
            return UNKNOWN
        hourly = hourly_means(clock.local(machine.system.times), values)
        if hourly.days < 4:
            return UNKNOWN
        falls = np.flatnonzero(np.diff(hourly.means) <= -self.fall) + 1
        edges = [0, *falls.tolist(), hourly.means.size]
        slopes = [slope for a, b in pairwise(edges) if (slope := self._slope(hourly, a, b)) is not None]
        if not falls.size or len(slopes) < 2 or min(slopes) < self.per_day:
            return Checked("clear")
        return Checked("met", self._say(slopes, int(falls.size), hourly))

    def _slope(self, hourly: Hourly, first: int, last: int) -> float | None:
        """Rise a day between two falls; None for less than a day, 0 where it does not rise all along."""
        hours, means = hourly.hours[first:last], hourly.means[first:last]
        if hours.size < 24:
            return None
        is_steady = rank_correlation(hours.astype(np.float64), means) >= 0.8
        return float(np.polyfit(hours / 24, means, 1)[0]) if is_steady else 0.0

    def _say(self, slopes: list[float], falls: int, hourly: Hourly) -> str:
        measure = MEASURES[self.measure]
        return (
            f"{measure.title} rose by {number(min(slopes), 'points')} to {number(max(slopes), 'points')} a day in each "
            f"of {len(slopes)} stretches and fell at once {count(falls, 'time')} (the rule asks for "
            f"{self.per_day:g} points a day and falls of {self.fall:g} points); hourly means, "
            f"{count(hourly.means.size, 'hour')}, highest {number(float(hourly.means.max()), measure.unit)}."
        )

    def describe(self) -> str:
        return f"{MEASURES[self.measure].title} climbing by {self.per_day:g} points a day between falls"
