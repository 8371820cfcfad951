"""CPU shares from ticks (as procps top and sysstat reckon them)."""

from __future__ import annotations

from collections.abc import Mapping

from agent.counters import all_forward, forward
from agent.readers.stat import CpuTimes, Stat

_SHARES = ("cpu_user", "cpu_nice", "cpu_system", "cpu_irq", "cpu_iowait", "cpu_steal", "cpu_idle")


def shares(old: CpuTimes, new: CpuTimes) -> dict[str, float | None]:
    """Percent of all CPUs, sum 100; all None when no tick was counted."""
    ticks = all_forward(old, new)
    total = sum(ticks)
    if not total:
        return dict.fromkeys(_SHARES)
    user, nice, system, idle, iowait, irq, softirq, steal = [100 * part / total for part in ticks]
    return dict(zip(_SHARES, (user, nice, system, irq + softirq, iowait, steal, idle)))


def busy_per_core(old: Mapping[int, CpuTimes], new: Mapping[int, CpuTimes]) -> list[float] | None:
    """Percent of each core that was online at both readings, by number; None when one has just come.

    Busy is all but idle and iowait, so steal counts: the core could not have done more.
    """
    if not new or not set(new) <= set(old):
        return None
    return [_busy(old[core], new[core]) for core in sorted(new)]


def _busy(old: CpuTimes, new: CpuTimes) -> float:
    ticks = CpuTimes._make(all_forward(old, new))
    total = sum(ticks)
    return 100 * (total - ticks.idle - ticks.iowait) / total if total else 0.0


def rates(old: Stat, new: Stat, seconds: float) -> dict[str, object]:
    columns: dict[str, object] = dict(shares(old.cpu, new.cpu))
    columns["cpu_cores"] = busy_per_core(old.cores, new.cores)
    if old.context_switches is not None and new.context_switches is not None:
        columns["context_switches"] = forward(old.context_switches, new.context_switches) / seconds
    return columns


def gauges(stat: Stat) -> dict[str, object]:
    return {"procs_running": stat.procs_running, "procs_blocked": stat.procs_blocked}
