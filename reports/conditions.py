"""What a rule tests, and the sentence of evidence that a test leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.trends import fit_trend, sampling_interval
from reports.checked import UNKNOWN, Checked
from reports.filesystems import Filling, NearlyFull
from reports.measures import MEASURES, measured
from reports.patterns import rank_correlation
from reports.recurring import Climbs, Nightly
from reports.statistics import DAY, HOUR, Times, Values, exceed, summarise
from reports.table import Machine
from reports.wording import Clock, count, duration, number, percent

MINIMUM_SAMPLES = 10


@dataclass(frozen=True)
class Excess:
    """The measure lay at or above `threshold` (or at or below it) in at least `share` of its samples."""

    measure: str
    threshold: float
    share: float
    below: bool = False

    def check(self, machine: Machine, clock: Clock) -> Checked:
        samples = machine.system
        values = measured(samples, self.measure)
        if values is None or np.count_nonzero(~np.isnan(values)) < MINIMUM_SAMPLES:
            return UNKNOWN
        found = exceed(values, self.threshold, below=self.below)
        state: Literal["met", "clear"] = "met" if found.share >= self.share and found.count else "clear"
        return Checked(state, self._say(samples.times, values, clock))

    def describe(self) -> str:
        return f"{_at(self.measure, self.below, self.threshold)} in {self.share * 100:g} % of samples"

    def _say(self, times: Times, values: Values, clock: Clock) -> str:
        measure = MEASURES[self.measure]
        found = exceed(values, self.threshold, below=self.below)
        longest = duration(found.longest * sampling_interval(times))
        side = "at or below" if self.below else "at or above"
        return (
            f"{measure.title} was {side} {number(self.threshold, measure.unit)} in {found.count:,} of "
            f"{count(found.samples, 'sample')} ({percent(found.share)}; the rule asks for {percent(self.share)}), "
            f"for up to {longest} on end. {_figures(self.measure, times, values, clock)}"
            f"{_usual_hour(times, values, self.threshold, self.below, clock)}"
        )


@dataclass(frozen=True)
class Typical:
    """A percentile of the measure is at or above `threshold` (or at or below it), over at least `days` of samples."""

    measure: str
    percentile: float
    threshold: float
    below: bool = False
    days: float = 0

    def check(self, machine: Machine, clock: Clock) -> Checked:
        samples = machine.system
        values = measured(samples, self.measure)
        if values is None or samples.times[-1] - samples.times[0] < self.days * DAY:
            return UNKNOWN
        kept = values[~np.isnan(values)]
        if kept.size < MINIMUM_SAMPLES:
            return UNKNOWN
        found = float(np.percentile(kept, self.percentile))
        met = found <= self.threshold if self.below else found >= self.threshold
        measure = MEASURES[self.measure]
        side = "at most" if self.below else "at least"
        evidence = (
            f"{measure.title} had a p{self.percentile:g} of {number(found, measure.unit)} (the rule asks for {side} "
            f"{number(self.threshold, measure.unit)}). {_figures(self.measure, samples.times, values, clock)}"
        )
        return Checked("met" if met else "clear", evidence)

    def describe(self) -> str:
        return f"p{self.percentile:g} of {_at(self.measure, self.below, self.threshold)}"


@dataclass(frozen=True)
class Growth:
    """The measure's daily mean rises, with an interval that leaves out zero, by at least `least` over the period."""

    measure: str
    least: float
    limit: float

    def check(self, machine: Machine, clock: Clock) -> Checked:
        samples = machine.system
        values = measured(samples, self.measure)
        trend = None if values is None else fit_trend(samples.times, values)
        if values is None or trend is None or trend.low is None or trend.high is None:
            return UNKNOWN
        rise = trend.per_day * (trend.days - 1)
        met = trend.low > 0 and rise >= self.least
        unit = MEASURES[self.measure].unit
        left = self.limit - float(values[~np.isnan(values)][-1])
        days = f"{number(left / trend.high)} to {number(left / trend.low)} days" if met else ""
        until = f" At this rate {number(self.limit, unit)} is {days} away." if met else ""
        evidence = (
            f"{MEASURES[self.measure].title} changed by {number(trend.per_day, unit)} a day over {trend.days} days "
            f"(95 % interval {number(trend.low)} to {number(trend.high, unit)} a day, Theil–Sen slope of daily means; "
            f"the rule asks for {number(self.least, unit)} over the period). "
            f"{_figures(self.measure, samples.times, values, clock)}{until}"
        )
        return Checked("met" if met else "clear", evidence)

    def describe(self) -> str:
        measure = MEASURES[self.measure]
        return f"{measure.title} rising by {self.least:g} {measure.unit} or more, certain at 95 %"


@dataclass(frozen=True)
class Related:
    """Two measures rise and fall together: rank correlation of at least `least` (or, with `below`, under it)."""

    measure: str
    other: str
    least: float
    below: bool = False

    def check(self, machine: Machine, clock: Clock) -> Checked:
        first, second = (measured(machine.system, name) for name in (self.measure, self.other))
        if first is None or second is None:
            return UNKNOWN
        found = rank_correlation(first, second)
        titles = f"{MEASURES[self.measure].title} and {MEASURES[self.other].title}"
        met = found < self.least if self.below else found >= self.least
        pairs = int(np.count_nonzero(~(np.isnan(first) | np.isnan(second))))
        evidence = (
            f"{titles} have a rank correlation of {found:.2f} over {count(pairs, 'sample')} "
            f"(the rule asks for {'under' if self.below else 'at least'} {self.least:g})."
        )
        return Checked("met" if met else "clear", evidence)

    def describe(self) -> str:
        how = "unrelated" if self.below else "related"
        return f"{MEASURES[self.measure].title} {how} to {MEASURES[self.other].title}"


Condition = Excess | Typical | Growth | Related | Climbs | Nightly | Filling | NearlyFull


def _at(measure: str, below: bool, threshold: float) -> str:
    unit = f" {MEASURES[measure].unit}" if MEASURES[measure].unit else ""
    return f"{MEASURES[measure].title} {'at or below' if below else 'at or above'} {threshold:g}{unit}"


def _figures(name: str, times: Times, values: Values, clock: Clock) -> str:
    """Mean, p95, maximum and when, window and number of samples: what every sentence of evidence ends with."""
    summary = summarise(times, values)
    if summary is None:
        return ""
    unit = MEASURES[name].unit
    return (
        f"Mean {number(summary.mean, unit)}, p95 {number(summary.p95, unit)}, "
        f"maximum {number(summary.maximum, unit)} at {clock.say(summary.at)}; {count(summary.count, 'sample')} "
        f"from {clock.say(int(times[0]))} to "
        f"{clock.say(int(times[-1]))}."
    )


def _usual_hour(times: Times, values: Values, threshold: float, below: bool, clock: Clock) -> str:
    """Where half or more of the hits fall into two hours of the day, on several days, says which."""
    with np.errstate(invalid="ignore"):
        hits = times[values <= threshold] if below else times[values >= threshold]
    if not hits.size or hits[-1] - hits[0] < 2 * DAY:
        return ""
    hours = np.bincount((clock.local(hits) // HOUR % 24).astype(np.int64), minlength=24)
    pairs = hours + np.roll(hours, -1)
    first = int(np.argmax(pairs))
    share = float(pairs[first] / hits.size)
    if share < 0.5:
        return ""
    return f" {percent(share)} of these fell between {first:02d}:00 and {(first + 2) % 24:02d}:00."
