"""Two consecutive readings in, one sample out: rows of every dataset, by the catalogue's column names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from agent import rows
from agent.clocks import Instant
from agent.measures import cpu, disk, memory, network, pressure, process
from agent.measures import filesystem as filesystem_measures
from agent.measures.remembered import Remembered
from agent.readers.files import clean_name
from agent.reading import Reading

MAX_GAP_INTERVALS = 2
_CLOCK_TOLERANCE_SECONDS = 2.0
"""NTP slews by less; a step or a suspend worth a name is longer."""

Row = dict[str, Any]
_disk_layout = Remembered(disk.layout)
_network_layout = Remembered(network.layout)


class Gap(NamedTuple):
    """kind: as in `events`, empty when it is not worth one. reason: a sentence."""

    kind: str
    reason: str


class Sample(NamedTuple):
    """Rows by dataset name; gap says why this sample has no rates, None when it has them."""

    timestamp: str
    rows: Mapping[str, list[Row]]
    gap: Gap | None = None


def build(old: Reading | None, new: Reading, sample_seconds: float, top: int = process.TOP) -> Sample:
    """Gauges of `new`, and rates since `old` unless something lies between them."""
    gap = find_gap(old, new, sample_seconds)
    system: Row = _gauges(new)
    datasets: dict[str, list[Row]] = {
        "system": [system],
        "filesystems": filesystem_measures.rows(new.filesystems or {}),
    }
    if old is not None and gap is None:
        seconds = new.instant.monotonic - old.instant.monotonic
        system.update(_system_rates(old, new, seconds))
        datasets["disks"] = _disks(old, new, seconds, system)
        datasets["interfaces"] = _interfaces(old, new, seconds, system)
        if old.processes is not None and new.processes is not None:
            datasets["processes"] = process.rows(old.processes, new.processes, seconds, new.owner_of, top)
    return Sample(new.instant.timestamp, datasets, gap)


def find_gap(old: Reading | None, new: Reading, sample_seconds: float) -> Gap | None:
    """Why no rate can be given between two readings; None when one can."""
    if old is None:
        return Gap("", "the agent has just started")
    if old.boot_id != new.boot_id:
        return Gap("host_down", "the machine was rebooted")
    return _clock_gap(old.instant, new.instant, sample_seconds)


def _clock_gap(old: Instant, new: Instant, sample_seconds: float) -> Gap | None:
    elapsed = new.monotonic - old.monotonic
    if elapsed <= 0:
        return Gap("", "no time has passed")
    if (new.boottime - old.boottime) - elapsed > _CLOCK_TOLERANCE_SECONDS:
        return Gap("suspended", "the machine was suspended")
    if elapsed > MAX_GAP_INTERVALS * sample_seconds:
        return Gap("late", f"no sample was taken for {elapsed:.0f} s")
    step = (new.wall - old.wall) - elapsed
    return Gap("clock_set", f"the clock was set by {step:+.0f} s") if abs(step) > _CLOCK_TOLERANCE_SECONDS else None


def _gauges(new: Reading) -> Row:
    columns: Row = {}
    if new.meminfo is not None:
        columns.update(memory.gauges(new.meminfo))
    if new.stat is not None:
        columns.update(cpu.gauges(new.stat))
    if new.loadavg is not None:
        load = new.loadavg
        columns.update(load_1min=load.one, load_5min=load.five, load_15min=load.fifteen)
    return columns


def _system_rates(old: Reading, new: Reading, seconds: float) -> Row:
    columns: Row = {}
    if old.stat is not None and new.stat is not None:
        columns.update(cpu.rates(old.stat, new.stat, seconds))
    if old.vmstat is not None and new.vmstat is not None:
        columns.update(memory.rates(old.vmstat, new.vmstat, seconds))
    if old.pressure is not None and new.pressure is not None:
        columns.update(pressure.shares(old.pressure, new.pressure, seconds))
    return columns


def _disks(old: Reading, new: Reading, seconds: float, system: Row) -> list[Row]:
    """Rows of the dataset disks; their totals go into `system`."""
    if old.disks is None or new.disks is None:
        return []
    chosen = _disk_layout(new.disks, new.block_devices)
    changes = disk.deltas(old.disks, new.disks, disk.listed(new.disks, chosen))
    system.update(disk.totals([changes[name] for name in chosen.physical if name in changes], seconds))
    return [{"device": clean_name(name), **disk.of_device(change, seconds)} for name, change in changes.items()]


def _interfaces(old: Reading, new: Reading, seconds: float, system: Row) -> list[Row]:
    """Rows of the dataset interfaces; their totals go into `system`."""
    if old.network is None or new.network is None:
        return []
    before = _network_layout(old.network, old.interfaces)
    after = _network_layout(new.network, new.interfaces)
    changes = network.deltas(old.network, new.network, before.interfaces, after.interfaces)
    totals = [changes[name] for name in after.physical if name in changes]
    system.update(network.rates("net_", totals, seconds))
    names = [name for name in network.listed(new.network, after) if name in changes]
    return [{"interface": clean_name(name), **network.rates("", [changes[name]], seconds)} for name in names]


def lines(sample: Sample, machine_id: str) -> dict[str, list[str]]:
    """CSV lines without header by dataset; only datasets that have rows."""
    return rows.lines(sample.rows, sample.timestamp, machine_id)
