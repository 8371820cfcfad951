"""/proc/diskstats: I/O counters of every block device (Linux Documentation/admin-guide/iostats.rst).

A line has 14 fields, 18 since Linux 4.18 (discards), 20 since 5.5 (flushes), and 7 for a partition before 2.6.25.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from agent.readers.files import ParseError, Tree

SECTOR_BYTES = 512
"""Whatever the sector size of the device: the kernel counts in 512-byte units."""
_OLD_PARTITION_FIELDS = 7
_FIELDS = 14


class DiskTicks(NamedTuple):
    """Milliseconds, each an unsigned int in the kernel: wraps at 2³²."""

    reading: int
    writing: int
    doing_io: int
    weighted: int


class DiskCounters(NamedTuple):
    """Since boot. ticks is None for a partition before Linux 2.6.25, which has none."""

    reads: int
    sectors_read: int
    writes: int
    sectors_written: int
    ticks: DiskTicks | None = None

    @property
    def used(self) -> bool:
        return bool(self.reads or self.writes)


def read(proc: Tree) -> dict[str, DiskCounters]:
    return parse(proc.short_lines("diskstats"))


def parse(text: str) -> dict[str, DiskCounters]:
    """Counters by device name, in the kernel's order."""
    return dict(_device(line) for line in text.splitlines() if line)


@lru_cache(maxsize=256)
def _device(line: str) -> tuple[str, DiskCounters]:
    """Remembered, because a machine has many idle devices (loop, ram, partitions) whose lines never change."""
    fields = line.split()
    try:
        return fields[2], _counters(fields)
    except (ValueError, IndexError):
        raise ParseError(f"/proc/diskstats has a line that cannot be read: {line[:80]!r}") from None


def _counters(fields: list[str]) -> DiskCounters:
    if len(fields) == _OLD_PARTITION_FIELDS:
        reads, sectors_read, writes, sectors_written = map(int, fields[3:])
        return DiskCounters(reads, sectors_read, writes, sectors_written)
    if len(fields) < _FIELDS:
        raise ValueError("short line")
    reads, _, sectors_read, reading, writes, _, sectors_written, writing, _, doing_io, weighted = map(int, fields[3:14])
    return DiskCounters(reads, sectors_read, writes, sectors_written, DiskTicks(reading, writing, doing_io, weighted))
