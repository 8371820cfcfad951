"""Disk rates, await, queue depth and utilisation (as sysstat's `iostat -x` reckons them)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from core.catalogue import MIB

from agent.counters import differences, wrapped
from agent.readers.block import BlockDevice
from agent.readers.diskstats import SECTOR_BYTES, DiskCounters

_MB_PER_SECTOR = SECTOR_BYTES / MIB
_PARTITION_NAME = re.compile(r"(.*\d)p\d+|((?:sd|hd|vd|xvd|ubd)[a-z]+)\d+")


class DiskDelta(NamedTuple):
    """I/O of one device in one interval; ticks in milliseconds, None where the kernel gives none."""

    reads: int
    sectors_read: int
    writes: int
    sectors_written: int
    reading_ms: int | None = None
    writing_ms: int | None = None
    io_ms: int | None = None
    weighted_ms: int | None = None


_IDLE = DiskDelta(0, 0, 0, 0, 0, 0, 0, 0)
Devices = Mapping[str, BlockDevice]
Counters = Mapping[str, DiskCounters]


def described(counters: Collection[str], devices: Devices | None) -> dict[str, BlockDevice]:
    """What each device in /proc/diskstats is: sysfs's word, or a guess from the name where sysfs has none."""
    known = devices or {}
    return {name: known.get(name) or _guess(name, counters) for name in counters}


def _guess(name: str, names: Collection[str]) -> BlockDevice:
    match = _PARTITION_NAME.fullmatch(name)
    parent = next((group for group in match.groups() if group), None) if match else None
    virtual = name.rstrip("0123456789") in ("dm-", "md", "loop", "ram", "zram", "nbd", "drbd")
    return BlockDevice(name, virtual=virtual, parent=parent if parent in names else None)


def whole(devices: Devices) -> list[str]:
    """Names of devices with I/O of their own: no loop, ram or zram, no partition of a disk that is there."""
    return [
        name
        for name, device in devices.items()
        if not (device.memory_backed or device.hidden or device.parent in devices)
    ]


def physical(devices: Devices) -> list[str]:
    """Devices whose sum is the machine's I/O, each operation once.

    Where every device is virtual (a network disk, a container), those that stand on no other stand for the hardware.
    """
    candidates = whole(devices)
    hardware = [name for name in candidates if not devices[name].virtual]
    return hardware or [name for name in candidates if not devices[name].slaves]


def listed(counters: Counters, devices: Devices) -> list[str]:
    """Devices that get a row: physical ones, and dm, md and other virtual ones that were ever used."""
    counted = set(physical(devices))
    return [name for name in whole(devices) if name in counted or counters[name].used]


def delta(old: DiskCounters, new: DiskCounters) -> DiskDelta | None:
    """None when the device was reset or replaced."""
    if old == new:
        return _IDLE if new.ticks else DiskDelta(0, 0, 0, 0)
    counts = differences(
        (old.reads, old.sectors_read, old.writes, old.sectors_written),
        (new.reads, new.sectors_read, new.writes, new.sectors_written),
    )
    if counts is None:
        return None
    reads, sectors_read, writes, sectors_written = counts
    if old.ticks is None or new.ticks is None:
        return DiskDelta(reads, sectors_read, writes, sectors_written)
    return DiskDelta(
        reads,
        sectors_read,
        writes,
        sectors_written,
        wrapped(old.ticks.reading, new.ticks.reading),
        wrapped(old.ticks.writing, new.ticks.writing),
        wrapped(old.ticks.doing_io, new.ticks.doing_io),
        wrapped(old.ticks.weighted, new.ticks.weighted),
    )


def deltas(old: Counters, new: Counters, names: Iterable[str]) -> dict[str, DiskDelta]:
    """Of those devices that were there at both readings."""
    found = ((name, delta(old[name], new[name])) for name in names if name in old)
    return {name: change for name, change in found if change is not None}


def _throughput(prefix: str, changes: Iterable[DiskDelta], seconds: float) -> dict[str, float | None]:
    items = list(changes)
    return {
        f"{prefix}read_mb": sum(item.sectors_read for item in items) * _MB_PER_SECTOR / seconds,
        f"{prefix}write_mb": sum(item.sectors_written for item in items) * _MB_PER_SECTOR / seconds,
        f"{prefix}read_iops": sum(item.reads for item in items) / seconds,
        f"{prefix}write_iops": sum(item.writes for item in items) / seconds,
    }


def totals(changes: Iterable[DiskDelta], seconds: float) -> dict[str, float | None]:
    """The `disk_` columns of the dataset system; empty when no disk was measured."""
    items = list(changes)
    if not items:
        return {}
    timed = [item for item in items if item.io_ms is not None]
    columns = _throughput("disk_", items, seconds)
    columns["disk_await_ms"] = _await(
        sum(item.reads + item.writes for item in timed),
        sum((item.reading_ms or 0) + (item.writing_ms or 0) for item in timed),
    )
    if timed:
        columns["disk_queue_depth"] = sum(item.weighted_ms or 0 for item in timed) / (1000 * seconds)
        columns["disk_io_util"] = max(_util(item.io_ms, seconds) or 0.0 for item in timed)
    return columns


def of_device(change: DiskDelta, seconds: float) -> dict[str, float | None]:
    """The columns of the dataset disks."""
    columns = _throughput("", [change], seconds)
    columns["read_await_ms"] = _await(change.reads, change.reading_ms)
    columns["write_await_ms"] = _await(change.writes, change.writing_ms)
    columns["queue_depth"] = None if change.weighted_ms is None else change.weighted_ms / (1000 * seconds)
    columns["util"] = _util(change.io_ms, seconds)
    return columns


def _await(operations: int, milliseconds: int | None) -> float | None:
    return milliseconds / operations if operations and milliseconds is not None else None


def _util(io_ms: int | None, seconds: float) -> float | None:
    """Capped: the kernel rounds to ticks, so an interval can hold a little more than itself."""
    return None if io_ms is None else min(io_ms / (10 * seconds), 100.0)
