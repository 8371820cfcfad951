"""CPU shares from ticks (as procps top and sysstat reckon them)."""

from __future__ import annotations

from collections.abc import Mapping

from agent.counters import forward
from agent.readers.stat import CpuTimes, Stat


def shares(old: CpuTimes, new: CpuTimes) -> dict[str, float | None]:
    """Percent of all CPUs, sum 100; all None when no tick was counted."""
    ticks = _ticks(old, new)
    total = sum(ticks.values())
    return {name: 100 * part / total if total else None for name, part in ticks.items()}


def _ticks(old: CpuTimes, new: CpuTimes) -> dict[str, int]:
    return {
        "cpu_user": forward(old.user, new.user),
        "cpu_nice": forward(old.nice, new.nice),
        "cpu_system": forward(old.system, new.system),
        "cpu_irq": forward(old.irq, new.irq) + forward(old.softirq, new.softirq),
        "cpu_iowait": forward(old.iowait, new.iowait),
        "cpu_steal": forward(old.steal, new.steal),
        "cpu_idle": forward(old.idle, new.idle),
    }


def busy_per_core(old: Mapping[int, CpuTimes], new: Mapping[int, CpuTimes]) -> list[float] | None:
    """Percent of each core that was online at both readings, by number; None when one has just come.

    Busy is all but idle and iowait, so steal counts: the core could not have done more.
    """
    if not new or not set(new) <= set(old):
        return None
    return [_busy(_ticks(old[core], new[core])) for core in sorted(new)]


def _busy(ticks: Mapping[str, int]) -> float:
    total = sum(ticks.values())
    idle = ticks["cpu_idle"] + ticks["cpu_iowait"]
    return 100 * (total - idle) / total if total else 0.0


def rates(old: Stat, new: Stat, seconds: float) -> dict[str, object]:
    columns: dict[str, object] = dict(shares(old.cpu, new.cpu))
    columns["cpu_cores"] = busy_per_core(old.cores, new.cores)
    if old.context_switches is not None and new.context_switches is not None:
        columns["context_switches"] = forward(old.context_switches, new.context_switches) / seconds
    return columns


def gauges(stat: Stat) -> dict[str, object]:
    return {"procs_running": stat.procs_running, "procs_blocked": stat.procs_blocked}
