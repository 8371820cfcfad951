"""Right-sizing: how many cores and how much memory the load seen here asks for, with a stated reserve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.measures import count_cores, measured
from reports.statistics import DAY, Values
from reports.table import Machine

MINIMUM_DAYS = 3
CPU_TARGET = 60.0
MEMORY_TARGET = 75.0
"""Percent that the 99th percentile may reach on the suggested size."""
WAITING = 10.0
"""Percent of p95 CPU pressure from which demand is higher than what was measured as busy."""
STEPS_MB = tuple(1024 * 2**power for power in range(13))


@dataclass(frozen=True)
class Size:
    """What is there, what the p99 uses of it, and what would do; `suggested` None: keep, since it cannot be told."""

    present: float
    used: float
    suggested: float | None

    @property
    def verdict(self) -> str:
        """A step of two is asked for: less is no reason to move a machine."""
        if self.suggested is None:
            return "more than is there, by an amount that cannot be measured here"
        if self.suggested <= self.present / 2:
            return "oversized"
        return "undersized" if self.suggested > self.present * 1.2 else "fits"


@dataclass(frozen=True)
class Sizing:
    cores: Size | None
    memory_mb: Size | None


def size(machine: Machine) -> Sizing:
    """Both sizes; None where not measured, or for less than three days."""
    times = machine.system.times
    if times[-1] - times[0] < (MINIMUM_DAYS - 0.1) * DAY:
        return Sizing(None, None)
    return Sizing(_cores(machine), _memory(machine))


def _cores(machine: Machine) -> Size | None:
    busy = measured(machine.system, "cpu_busy")
    if busy is None or machine.system.cores is None:
        return None
    present = float(np.nanmedian(count_cores(machine.system.cores)))
    used = _p99(busy) / 100 * present
    waiting = measured(machine.system, "psi_cpu_some")
    if waiting is not None and float(np.nanpercentile(waiting, 95)) >= WAITING and used > 0.6 * present:
        return Size(present, used, None)
    return Size(present, used, float(_power_of_two(used / (CPU_TARGET / 100))))


def _power_of_two(cores: float) -> int:
    return int(2 ** max(0, math.ceil(math.log2(max(cores, 1e-9)))))


def _memory(machine: Machine) -> Size | None:
    total, used = (measured(machine.system, name) for name in ("mem_total_mb", "mem_used_mb"))
    if total is None or used is None:
        return None
    present, p99 = float(np.nanmedian(total)), _p99(used)
    suggested = next((step for step in STEPS_MB if p99 <= step * MEMORY_TARGET / 100), None)
    return Size(present, p99, None if suggested is None else float(suggested))


def _p99(values: Values) -> float:
    return float(np.percentile(values[~np.isnan(values)], 99))
