"""Disk rates, await, queue depth and utilisation (as sysstat's `iostat -x` reckons them)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from core.catalogue import MIB

from agent.counters import differences, wrapped
from agent.readers.block import BlockDevice
from agent.readers.diskstats import SECTOR_BYTES, DiskCounters

_MB_PER_SECTOR = SECTOR_BYTES / MIB
_COUNTS = 4
"""The first fields of DiskDelta, which every kernel has."""
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


class Layout(NamedTuple):
    """whole: devices with I/O of their own. physical: those whose sum is the machine's I/O, each operation once."""

    whole: list[str]
    physical: list[str]


_IDLE = DiskDelta(0, 0, 0, 0, 0, 0, 0, 0)
Devices = Mapping[str, BlockDevice]
Counters = Mapping[str, DiskCounters]


def layout(names: Collection[str], known: Devices | None) -> Layout:
    """names: those in /proc/diskstats. known: what sysfs says of them; where it says nothing, the name must do."""
    devices = {name: (known or {}).get(name) or _guess(name, names) for name in names}
    whole = _whole(devices)
    return Layout(whole, _physical(whole, devices))


def _guess(name: str, names: Collection[str]) -> BlockDevice:
    match = _PARTITION_NAME.fullmatch(name)
    parent = next((group for group in match.groups() if group), None) if match else None
    virtual = name.rstrip("0123456789") in ("dm-", "md", "loop", "ram", "zram", "nbd", "drbd")
    return BlockDevice(name, virtual=virtual, parent=parent if parent in names else None)


def _whole(devices: Devices) -> list[str]:
    """No loop, ram or zram, no partition of a disk that is there, no path of a device that is listed itself."""
    return [
        name
        for name, device in devices.items()
        if not (device.memory_backed or device.hidden or device.parent in devices)
    ]


def _physical(whole: list[str], devices: Devices) -> list[str]:
    """Where every device is virtual (a network disk, a container), those that stand on no other are the hardware."""
    hardware = [name for name in whole if not devices[name].virtual]
    return hardware or [name for name in whole if not devices[name].slaves]


def listed(counters: Counters, chosen: Layout) -> list[str]:
    """Devices that get a row: physical ones, and dm, md and other virtual ones that were ever used."""
    counted = set(chosen.physical)
    return [name for name in chosen.whole if name in counted or counters[name].used]


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
    if old.ticks is None or new.ticks is None:
        return DiskDelta(*counts)
    return DiskDelta(*counts, *map(wrapped, old.ticks, new.ticks))


def deltas(old: Counters, new: Counters, names: Iterable[str]) -> dict[str, DiskDelta]:
    """Of those devices that were there at both readings."""
    found = ((name, delta(old[name], new[name])) for name in names if name in old)
    return {name: change for name, change in found if change is not None}


def _throughput(prefix: str, change: DiskDelta, seconds: float) -> dict[str, float | None]:
    return {
        f"{prefix}read_mb": change.sectors_read * _MB_PER_SECTOR / seconds,
        f"{prefix}write_mb": change.sectors_written * _MB_PER_SECTOR / seconds,
        f"{prefix}read_iops": change.reads / seconds,
        f"{prefix}write_iops": change.writes / seconds,
    }


def totals(changes: Iterable[DiskDelta], seconds: float) -> dict[str, float | None]:
    """The `disk_` columns of the dataset system; empty when no disk was measured."""
    items = list(changes)
    if not items:
        return {}
    columns = _throughput("disk_", _together([item[:_COUNTS] for item in items]), seconds)
    timed = [item for item in items if item.io_ms is not None]
    if timed:
        whole = _together(timed)
        columns["disk_await_ms"] = _await(whole.reads + whole.writes, (whole.reading_ms or 0) + (whole.writing_ms or 0))
        columns["disk_queue_depth"] = (whole.weighted_ms or 0) / (1000 * seconds)
        columns["disk_io_util"] = max([_util(item.io_ms, seconds) or 0.0 for item in timed])
    return columns


def _together(changes: Iterable[Sequence[int | None]]) -> DiskDelta:
    """The sum over devices, of which none has an empty field."""
    return DiskDelta(*map(sum, zip(*changes)))


def of_device(change: DiskDelta, seconds: float) -> dict[str, float | None]:
    """The columns of the dataset disks."""
    columns = _throughput("", change, seconds)
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
