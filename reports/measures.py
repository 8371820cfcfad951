"""What a report looks at: catalogue metrics, and a few quantities worked out from them, by one name each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from core.catalogue import SYSTEM
from reports.statistics import Summary, Values
from reports.table import Samples
from reports.wording import Clock, count, number


@dataclass(frozen=True)
class Measure:
    """A quantity of the whole machine. `values` gives None when what it is made of was not measured."""

    name: str
    title: str
    unit: str
    values: Callable[[Samples], Values | None]
    maximum: float | None = None


def _added(*names: str) -> Callable[[Samples], Values | None]:
    """The sum of metrics; needs them all."""

    def values(samples: Samples) -> Values | None:
        columns = [samples.column(name) for name in names]
        present = [column for column in columns if column is not None]
        return np.sum(present, axis=0, dtype=np.float64) if len(present) == len(names) else None

    return values


def _cpu_busy(samples: Samples) -> Values | None:
    """Without iowait, which is idle time; without steal, which this machine did not get."""
    return _added("cpu_user", "cpu_nice", "cpu_system", "cpu_irq")(samples)


def _per_core(name: str) -> Callable[[Samples], Values | None]:
    def values(samples: Samples) -> Values | None:
        column = samples.column(name)
        return None if column is None or samples.cores is None else column / count_cores(samples.cores)

    return values


def _share(part: str, whole: str) -> Callable[[Samples], Values | None]:
    """Percent of another metric; NaN where that is zero."""

    def values(samples: Samples) -> Values | None:
        above, below = samples.column(part), samples.column(whole)
        if above is None or below is None or not (below > 0).any():
            return None
        return above / np.where(below > 0, below, np.nan) * 100

    return values


def _imbalance(samples: Samples) -> Values | None:
    """Busiest core minus the mean of all cores."""
    if samples.cores is None or samples.cores.shape[1] < 2:
        return None
    known = ~np.isnan(samples.cores).all(axis=1)
    difference = np.full(samples.cores.shape[0], np.nan)
    difference[known] = np.nanmax(samples.cores[known], axis=1) - np.nanmean(samples.cores[known], axis=1)
    return difference


def _busiest(samples: Samples) -> Values | None:
    if samples.cores is None:
        return None
    known = ~np.isnan(samples.cores).all(axis=1)
    busiest = np.full(samples.cores.shape[0], np.nan)
    busiest[known] = np.nanmax(samples.cores[known], axis=1)
    return busiest


def count_cores(cores: Values) -> Values:
    """Cores seen in each sample; NaN where none was."""
    number = (~np.isnan(cores)).sum(axis=1).astype(np.float64)
    return np.where(number > 0, number, np.nan)


_WORKED_OUT = (
    Measure("cpu_busy", "CPU busy", "%", _cpu_busy, 100),
    Measure("cpu_imbalance", "Busiest core above the mean", "%", _imbalance, 100),
    Measure("cpu_busiest", "Busiest core", "%", _busiest, 100),
    Measure("load_per_core", "Load 1 min per core", "", _per_core("load_1min")),
    Measure("run_queue_per_core", "Run queue per core", "", _per_core("procs_running")),
    Measure("mem_used_percent", "Memory used", "%", _share("mem_used_mb", "mem_total_mb"), 100),
    Measure("mem_cached_percent", "Page cache", "%", _share("mem_cached_mb", "mem_total_mb"), 100),
    Measure("mem_available_percent", "Memory available", "%", _share("mem_available_mb", "mem_total_mb"), 100),
    Measure("swap_used_percent", "Swap used", "%", _share("swap_used_mb", "swap_total_mb"), 100),
    Measure("swap_traffic_mb", "Swap in + out", "MB/s", _added("swap_in_mb", "swap_out_mb")),
    Measure("disk_iops", "Disk operations", "1/s", _added("disk_read_iops", "disk_write_iops")),
    Measure("disk_mb", "Disk read + write", "MB/s", _added("disk_read_mb", "disk_write_mb")),
    Measure("net_mb", "Network received + sent", "MB/s", _added("net_rx_mb", "net_tx_mb")),
    Measure("net_errors", "Packet errors", "1/s", _added("net_rx_errors", "net_tx_errors")),
    Measure("net_drops", "Packet drops", "1/s", _added("net_rx_drops", "net_tx_drops")),
)


def _plain(name: str) -> Callable[[Samples], Values | None]:
    return lambda samples: samples.column(name)


MEASURES: Mapping[str, Measure] = {
    **{
        metric.name: Measure(
            metric.name, metric.title, metric.unit, _plain(metric.name), 100 if metric.unit == "%" else None
        )
        for metric in SYSTEM.metrics
        if metric.is_number
    },
    **{measure.name: measure for measure in _WORKED_OUT},
}


def measured(samples: Samples, name: str) -> Values | None:
    """Values of a measure, or None when nothing of it was measured."""
    values = MEASURES[name].values(samples)
    return None if values is None or np.isnan(values).all() else values


def say(summary: Summary, measure: Measure, clock: Clock) -> str:
    """`CPU busy: mean 20 %, p95 35 %, max 46 % on 2026-01-09 13:13 (9,680 samples)`; shorter where nothing varied."""
    samples = count(summary.count, "sample")
    if summary.maximum == summary.mean == summary.median:
        return f"{measure.title}: {number(summary.maximum, measure.unit)} throughout ({samples})"
    return (
        f"{measure.title}: mean {number(summary.mean, measure.unit)}, p95 {number(summary.p95, measure.unit)}, "
        f"max {number(summary.maximum, measure.unit)} on {clock.say(summary.at)} ({samples})"
    )
