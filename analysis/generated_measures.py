"""What one generated machine measures: each dataset's columns from its demand, consistent with each other.

Every function takes instants (seconds, a minute apart) and returns a column for each metric of the catalogue, as
values of the same length; NaN is a value that is not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from analysis import generated_signals as signals
from analysis.generated_fleet import Disk, Interface, Machine, Mount
from analysis.generated_signals import DAY, HOUR, MINUTE, Instants, Values, noise, seed_of, smoothed, uniform, wander
from core.catalogue import MIB

Columns = dict[str, Any]

GIGABIT_MB = 117.0
MAX_WEAR = 4.0


def demand(machine: Machine, at: Instants) -> Values:
    """What is asked of the machine, as a share of its peak: 0 … 1."""
    rhythm, seed = machine.rhythm, seed_of(machine.machine_id, "demand")
    asked = rhythm.steady + rhythm.office * signals.office_hours(at) + rhythm.evening * signals.evenings(at)
    if rhythm.night:
        asked = asked + rhythm.night * signals.nightly(seed + 10, at, rhythm.night_hour, rhythm.night_hours)
    if rhythm.jobs:
        chance = 0.08 + 0.7 * signals.office_hours(at)
        asked = asked + rhythm.jobs * signals.jobs(seed + 20, at, 20 * MINUTE, chance)
    return np.clip(asked * (1 + 0.3 * noise(seed, at)), 0, 1)


def disk(machine: Machine, disk: Disk, at: Instants, demand: Values, origin: datetime) -> Columns:
    """One disk: whole operations a minute; queue depth by Little's law; await grows as utilisation does."""
    seed = seed_of(machine.machine_id, "disk", disk.name)
    reads = _count_a_minute(disk.reads * demand**1.5 * np.exp(0.6 * noise(seed, at)), seed + 10, at)
    writes = _count_a_minute(disk.writes * demand * np.exp(0.5 * noise(seed + 20, at)), seed + 30, at)
    worn = np.clip(1 + disk.slower_a_day * (at - origin.timestamp()) / DAY, 1, MAX_WEAR)
    service_ms = disk.service_ms * worn * np.exp(0.15 * noise(seed + 40, at))
    work = (reads + writes) * service_ms / 1000
    await_ms = service_ms / (1 - np.minimum(work / (1 + work), 0.9))
    read_await, write_await = np.round(await_ms * 1.15, 3), np.round(await_ms * 0.85, 3)
    return {
        "read_mb": np.round(reads * disk.read_kb / 1024, 5),
        "write_mb": np.round(writes * disk.write_kb / 1024, 5),
        "read_iops": reads,
        "write_iops": writes,
        "read_await_ms": np.where(reads > 0, read_await, np.nan),
        "write_await_ms": np.where(writes > 0, write_await, np.nan),
        "queue_depth": np.round((reads * read_await + writes * write_await) / 1000, 5),
        "util": np.round(100 * (1 - np.exp(-work)), 3),
    }


def _count_a_minute(rate: Values, seed: int, at: Instants) -> Values:
    """A rate per second as whole events in each minute, rounded up or down at random."""
    return np.round(np.floor(rate * 60 + uniform(seed, at // MINUTE)) / 60, 4)


def interface(machine: Machine, card: Interface, at: Instants, demand: Values) -> Columns:
    seed = seed_of(machine.machine_id, "interface", card.name)
    rx, tx = (
        np.round(np.minimum(peak * (0.004 + demand) * np.exp(0.4 * noise(seed + way, at)), GIGABIT_MB), 5)
        for way, peak in ((0, card.rx_mb), (10, card.tx_mb))
    )
    loose = np.maximum(0, wander(seed + 20, at, 5 * HOUR) - 0.45) * card.errors
    dropped = np.maximum(0, rx / max(card.rx_mb, 0.1) - 1.1) * 3
    return {
        "rx_mb": rx,
        "tx_mb": tx,
        "rx_packets": np.round(rx * MIB / 820, 2),
        "tx_packets": np.round(tx * MIB / 1010, 2),
        "rx_errors": _count_a_minute(loose, seed + 30, at) * (loose > 0),
        "tx_errors": np.zeros(at.shape),
        "rx_drops": _count_a_minute(dropped + 0.2 * loose, seed + 40, at) * (dropped + loose > 0),
        "tx_drops": np.zeros(at.shape),
    }


def filesystem(machine: Machine, mount: Mount, at: Instants, origin: datetime) -> Columns:
    """Fills from `origin` on, with a daily rise and clean-up; 5 % of ext4 are reserved: neither used nor available."""
    seed = seed_of(machine.machine_id, "mount", mount.path)
    days = (at - origin.timestamp()) / DAY
    percent = mount.used_percent + mount.grows_a_day * days + 0.8 * (days % 1) + 0.3 * wander(seed, at, 9 * HOUR)
    percent = np.clip(percent, 1, 99.4)
    usable = mount.total_mb * (0.95 if mount.fstype == "ext4" else 1.0)
    used = np.round(usable * percent / 100, 1)
    return {
        "device": mount.device,
        "fstype": mount.fstype,
        "total_mb": mount.total_mb,
        "used_mb": used,
        "available_mb": np.round(usable - used, 1),
        "used_percent": np.round(100 * used / usable, 2),
        "inodes_used_percent": np.round(percent * 0.21, 2),
    }


def system(
    machine: Machine, at: Instants, demand: Values, disks: Mapping[str, Columns], interfaces: Mapping[str, Columns]
) -> Columns:
    """The whole machine; totals are the sums of its devices."""
    totals = {**_disk_totals(list(disks.values())), **_network_totals(list(interfaces.values()))}
    cpu = _cpu(machine, at, demand, totals["disk_io_util"])
    memory = _memory(machine, at, demand)
    return {
        **cpu,
        "cpu_cores": _cores(machine, at, busy(cpu)),
        **memory,
        **totals,
        **_load(machine, at, cpu),
        **_pressure(machine, at, cpu, memory),
    }


def _disk_totals(disks: list[Columns]) -> Columns:
    totals = {f"disk_{name}": sum(disk[name] for disk in disks)
              for name in ("read_mb", "write_mb", "read_iops", "write_iops", "queue_depth")}  # fmt: skip
    operations = totals["disk_read_iops"] + totals["disk_write_iops"]
    with np.errstate(invalid="ignore", divide="ignore"):
        await_ms = np.where(operations > 0, 1000 * totals["disk_queue_depth"] / operations, np.nan)
    return {
        **totals,
        "disk_await_ms": np.round(await_ms, 3),
        "disk_io_util": np.max([disk["util"] for disk in disks], axis=0),
    }


def _network_totals(interfaces: list[Columns]) -> Columns:
    return {f"net_{name}": sum(card[name] for card in interfaces) for name in interfaces[0]}


def _cpu(machine: Machine, at: Instants, demand: Values, disk_util: Values) -> Columns:
    """Shares of all CPUs that sum to 100."""
    seed = seed_of(machine.machine_id, "cpu")
    steal = machine.steal * np.clip(0.25 + 0.5 * wander(seed, at, 3 * HOUR) + 0.5 * signals.office_hours(at), 0, 1)
    steal *= 0.2 + 0.8 * demand
    busy = np.clip(machine.peak * demand * (1 + 0.1 * signals.white(seed + 1, at)) + 0.6, 0.2, 98 - steal)
    system = busy * machine.system_share * (1 + 0.2 * wander(seed + 2, at, HOUR))
    irq = busy * 0.02
    nice = (busy - system - irq) * machine.nice_share * demand
    waiting = 0.12 * disk_util * (1 + 0.3 * signals.white(seed + 3, at))
    shares = {
        "cpu_user": busy - system - irq - nice,
        "cpu_nice": nice,
        "cpu_system": system,
        "cpu_irq": irq,
        "cpu_iowait": np.minimum(waiting, 0.8 * (100 - busy - steal)),
        "cpu_steal": steal,
    }
    shares = {name: np.round(share, 2) for name, share in shares.items()}
    return {**shares, "cpu_idle": np.round(100 - sum(shares.values()), 2)}


def busy(cpu: Columns) -> Values:
    """All but idle and iowait, as the agent reckons a core's busy percent."""
    return np.asarray(100 - cpu["cpu_idle"] - cpu["cpu_iowait"])


def _cores(machine: Machine, at: Instants, busy: Values) -> pl.Series:
    """Busy percent of each core; their mean is `busy`, and a machine with one busy thread has one busy core."""
    seed, count = seed_of(machine.machine_id, "cores"), machine.cores
    first = np.minimum(97.0, 0.8 * busy * count) if machine.hot_core else busy
    others = (busy * count - first) / (count - 1)
    spread = np.array([wander(seed + core, at, 11 * MINUTE) for core in range(count - 1)])
    spread = (spread - spread.mean(axis=0)) * 0.5 * np.minimum(others, 100 - others)
    cores = np.round(np.clip([first, *(others + spread)], 0, 100), 1)
    return pl.Series(np.ascontiguousarray(cores.T), dtype=pl.Array(pl.Float64, count)).arr.to_list()


def _memory(machine: Machine, at: Instants, demand: Values) -> Columns:
    seed, total = seed_of(machine.machine_id, "memory"), machine.memory_mb
    rest, added = machine.memory
    share = rest + added * smoothed(demand, 15) + 0.015 * wander(seed, at, 5 * HOUR)
    if machine.leak_days:
        share = share + 0.58 * (at % int(machine.leak_days * DAY)) / (machine.leak_days * DAY)
    share = np.clip(share, 0.03, 0.97)
    available = np.round(total * (1 - share), 1)
    free = np.round(available * (0.2 + 0.08 * wander(seed + 1, at, 8 * HOUR)), 1)
    buffers = np.round(np.minimum(0.01 * total, 0.1 * available), 1)
    return {
        "mem_total_mb": np.full(at.shape, total),
        "mem_used_mb": np.round(total - available, 1),
        "mem_free_mb": free,
        "mem_available_mb": available,
        "mem_cached_mb": np.round((available - free - buffers) * 1.02, 1),
        "mem_buffers_mb": buffers,
        **_swap(machine, at, share),
    }


def _swap(machine: Machine, at: Instants, share: Values) -> Columns:
    """Filled as memory gets tight; traffic only while it is."""
    seed = seed_of(machine.machine_id, "swap")
    tight = np.clip((share - 0.82) / 0.15, 0, 1)
    traffic = tight**2 * np.maximum(0, 1 + noise(seed, at))
    return {
        "swap_total_mb": np.full(at.shape, machine.swap_mb),
        "swap_used_mb": np.round(machine.swap_mb * (0.01 + 0.7 * tight), 1),
        "swap_in_mb": np.round(1.6 * traffic, 3),
        "swap_out_mb": np.round(3.1 * traffic, 3),
    }


def _load(machine: Machine, at: Instants, cpu: Columns) -> Columns:
    seed, cores = seed_of(machine.machine_id, "load"), machine.cores
    blocked = cpu["cpu_iowait"] / 100 * cores * 1.3
    wanted = (busy(cpu) + 0.5 * cpu["cpu_steal"]) / 100 * cores * (1 + 0.2 * signals.white(seed, at))
    averages = {f"load_{minutes}min": np.round(smoothed(wanted + blocked, minutes), 2) for minutes in (1, 5, 15)}
    switches = cores * (180 + 95 * busy(cpu)) * np.exp(0.2 * noise(seed + 3, at))
    return {
        **averages,
        "procs_running": 1 + np.floor(wanted + uniform(seed + 1, at)),
        "procs_blocked": np.floor(blocked + uniform(seed + 2, at)) * (blocked > 0.02),
        "context_switches": np.round(switches, 1),
    }


def _pressure(machine: Machine, at: Instants, cpu: Columns, memory: Columns) -> Columns:
    """Shares of time; none at all on a kernel before 4.20."""
    names = ("psi_cpu_some", "psi_memory_some", "psi_memory_full", "psi_io_some", "psi_io_full")
    if not machine.has_psi:
        return {name: np.full(at.shape, np.nan) for name in names}
    wanted = busy(cpu) + 0.8 * cpu["cpu_steal"]
    cpu_some = 0.004 * wanted + 70 * np.clip((wanted - 55) / 60, 0, 1) ** 1.6
    memory_some = np.minimum(60.0, 9 * memory["swap_in_mb"])
    io_some = np.minimum(95.0, 1.7 * cpu["cpu_iowait"])
    values = (cpu_some, memory_some, 0.6 * memory_some, io_some, 0.55 * io_some)
    return {name: np.round(value, 2) for name, value in zip(names, values, strict=True)}
