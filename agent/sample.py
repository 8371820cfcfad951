"""Two consecutive readings in, one sample out: rows of every dataset, by the catalogue's column names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.batch import Table, encode
from core.catalogue import DATASETS

from agent.clocks import Instant
from agent.measures import cpu, disk, memory, network, pressure, process
from agent.measures import filesystem as filesystem_measures
from agent.readers.files import clean_name
from agent.reading import Reading

MAX_GAP_INTERVALS = 2
_CLOCK_TOLERANCE_SECONDS = 2.0
"""NTP slews by less; a step or a suspend worth a name is longer."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Sample:
    """Rows by dataset name; gap says why this sample has no rates, None when it has them."""

    timestamp: datetime
    rows: Mapping[str, list[Row]]
    gap: str | None = None


def build(old: Reading | None, new: Reading, sample_seconds: float) -> Sample:
    """Gauges of `new`, and rates since `old` unless something lies between them."""
    gap = find_gap(old, new, sample_seconds)
    system: Row = _gauges(new)
    rows: dict[str, list[Row]] = {"system": [system], "filesystems": filesystem_measures.rows(new.filesystems or {})}
    if old is not None and gap is None:
        seconds = new.instant.monotonic - old.instant.monotonic
        system.update(_system_rates(old, new, seconds))
        rows["disks"] = _disks(old, new, seconds, system)
        rows["interfaces"] = _interfaces(old, new, seconds, system)
        if old.processes is not None and new.processes is not None:
            rows["processes"] = process.rows(old.processes, new.processes, seconds)
    return Sample(new.instant.timestamp, rows, gap)


def find_gap(old: Reading | None, new: Reading, sample_seconds: float) -> str | None:
    """Why no rate can be given between two readings; None when one can."""
    if old is None:
        return "the agent has just started"
    if old.boot_id != new.boot_id:
        return "the machine was rebooted"
    return _clock_gap(old.instant, new.instant, sample_seconds)


def _clock_gap(old: Instant, new: Instant, sample_seconds: float) -> str | None:
    elapsed = new.monotonic - old.monotonic
    if elapsed <= 0:
        return "no time has passed"
    if (new.boottime - old.boottime) - elapsed > _CLOCK_TOLERANCE_SECONDS:
        return "the machine was suspended"
    if elapsed > MAX_GAP_INTERVALS * sample_seconds:
        return f"no sample was taken for {elapsed:.0f} s"
    step = (new.wall - old.wall) - elapsed
    return f"the clock was set by {step:+.0f} s" if abs(step) > _CLOCK_TOLERANCE_SECONDS else None


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
    devices = disk.described(new.disks, new.block_devices)
    changes = disk.deltas(old.disks, new.disks)
    system.update(disk.totals([changes[name] for name in disk.physical(devices) if name in changes], seconds))
    names = [name for name in disk.listed(new.disks, devices) if name in changes]
    return [{"device": clean_name(name), **disk.of_device(changes[name], seconds)} for name in names]


def _interfaces(old: Reading, new: Reading, seconds: float, system: Row) -> list[Row]:
    """Rows of the dataset interfaces; their totals go into `system`."""
    if old.network is None or new.network is None:
        return []
    before = network.described(old.network, old.interfaces)
    after = network.described(new.network, new.interfaces)
    changes = network.deltas(old.network, new.network, before, after)
    totals = [changes[name] for name in network.physical(after) if name in changes]
    system.update(network.rates("net_", totals, seconds))
    names = [name for name in network.listed(new.network, after) if name in changes]
    return [{"interface": clean_name(name), **network.rates("", [changes[name]], seconds)} for name in names]


def encode_rows(sample: Sample, machine_id: str) -> dict[str, list[str]]:
    """CSV lines by dataset, header first; only datasets that have rows. No line holds a line feed."""
    return {name: _lines(name, rows, sample.timestamp, machine_id) for name, rows in sample.rows.items() if rows}


def split_headers(files: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The CSV lines without their header, as the spool keeps them."""
    return {name: lines[1:] for name, lines in files.items()}


def _lines(name: str, rows: list[Row], timestamp: datetime, machine_id: str) -> list[str]:
    dataset = DATASETS[name]
    columns: dict[str, list[Any]] = {
        "timestamp": [timestamp] * len(rows),
        "machine_id": [machine_id] * len(rows),
    }
    for column in dataset.columns[2:]:
        columns[column] = [row.get(column) for row in rows]
    return encode(Table(dataset, columns)).rstrip("\n").split("\n")
