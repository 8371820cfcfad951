"""Filesystems: how full each is, how fast it fills, and the two conditions that rules ask of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.trends import Filling as Growth
from analysis.trends import fill
from reports.checked import UNKNOWN, Checked
from reports.table import Machine, Samples
from reports.wording import Clock, count, number

DATASET = "filesystems"


def fillings(machine: Machine) -> Mapping[str, Growth]:
    """Growth of every filesystem of which size and use were measured, by mount."""
    found = {mount: _growth(samples) for mount, samples in machine.instances.get(DATASET, {}).items()}
    return {mount: growth for mount, growth in found.items() if growth is not None}


def _growth(samples: Samples) -> Growth | None:
    """What is used, of what root and others may use: `total` is used + available, as df counts."""
    used, available, total = (samples.column(name) for name in ("used_mb", "available_mb", "total_mb"))
    if used is None or (available is None and total is None):
        return None
    whole = used + available if available is not None else total
    assert whole is not None  # noqa: S101  one of the two was measured
    return fill(samples.times, used, float(whole[~np.isnan(whole)][-1]))


def newest(samples: Samples, name: str) -> float | None:
    """The last measured value."""
    values = samples.column(name)
    return None if values is None or np.isnan(values).all() else float(values[~np.isnan(values)][-1])


def say_days(growth: Growth) -> str:
    """`12 to 15 days`, or why no date can be given."""
    if growth.days is None:
        return growth.reason or "no forecast"
    low, high = growth.days
    return f"{number(low)} to {number(high)} days"


@dataclass(frozen=True)
class Filling:
    """A filesystem that grows with certainty and may be full within `days`."""

    days: float

    def check(self, machine: Machine, clock: Clock) -> Checked:
        growths = fillings(machine)
        if not any(growth.trend is not None and growth.trend.low is not None for growth in growths.values()):
            return UNKNOWN
        soon = {mount: growth for mount, growth in growths.items() if growth.days and growth.days[0] <= self.days}
        told = " ".join(self._say(mount, growth) for mount, growth in sorted(soon.items()))
        return Checked("met" if soon else "clear", told)

    def _say(self, mount: str, growth: Growth) -> str:
        trend = growth.trend
        if trend is None or trend.low is None or trend.high is None:
            return ""
        return (
            f"{mount} will be full in {say_days(growth)} (the rule asks for {self.days:g} days at the earliest): "
            f"{number(growth.used, 'MB')} of {number(growth.total, 'MB')} used, growing by "
            f"{number(trend.per_day, 'MB')} a day (95 % interval {number(trend.low)} to {number(trend.high, 'MB')}, "
            f"Theil–Sen slope of daily means, {count(trend.days, 'day')})."
        )

    def describe(self) -> str:
        return f"A filesystem that will be full within {self.days:g} days, growth certain at 95 %"


@dataclass(frozen=True)
class NearlyFull:
    """A filesystem whose space or inodes are used to `percent` or more at the end of the period."""

    percent: float

    def check(self, machine: Machine, clock: Clock) -> Checked:
        found = {
            (mount, title): value
            for mount, samples in machine.instances.get(DATASET, {}).items()
            for name, title in (("used_percent", "space"), ("inodes_used_percent", "inodes"))
            if (value := newest(samples, name)) is not None
        }
        if not found:
            return UNKNOWN
        full = {key: value for key, value in found.items() if value >= self.percent}
        told = "; ".join(f"{mount}: {number(value, '%')} of its {title}" for (mount, title), value in full.items())
        return Checked(
            "met" if full else "clear",
            f"Used at the end of the period: {told} (the rule asks for {self.percent:g} %).",
        )

    def describe(self) -> str:
        return f"A filesystem with {self.percent:g} % of its space or inodes used"
