"""/proc/diskstats: I/O counters of every block device (Linux Documentation/admin-guide/iostats.rst).

A line has 14 fields, 18 since Linux 4.18 (discards), 20 since 5.5 (flushes), and 7 for a partition before 2.6.25.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.readers.files import ParseError, read_text

SECTOR_BYTES = 512
"""Whatever the sector size of the device: the kernel counts in 512-byte units."""
_OLD_PARTITION_FIELDS = 7
_FIELDS = 14


@dataclass(frozen=True)
class DiskTicks:
    """Milliseconds, each an unsigned int in the kernel: wraps at 2³²."""

    reading: int
    writing: int
    doing_io: int
    weighted: int


@dataclass(frozen=True)
class DiskCounters:
    """Since boot. ticks is None for a partition before Linux 2.6.25, which has none."""

    reads: int
    sectors_read: int
    writes: int
    sectors_written: int
    ticks: DiskTicks | None = None

    @property
    def used(self) -> bool:
        return bool(self.reads or self.writes)


def read(proc_root: str) -> dict[str, DiskCounters]:
    return parse(read_text(f"{proc_root}/diskstats"))


def parse(text: str) -> dict[str, DiskCounters]:
    """Counters by device name, in the kernel's order."""
    counters: dict[str, DiskCounters] = {}
    for line in text.splitlines():
        fields = line.split()
        if not fields:
            continue
        try:
            counters[fields[2]] = _counters(fields)
        except (ValueError, IndexError):
            raise ParseError(f"/proc/diskstats has a line that cannot be read: {line[:80]!r}") from None
    return counters


def _counters(fields: Sequence[str]) -> DiskCounters:
    if len(fields) == _OLD_PARTITION_FIELDS:
        reads, sectors_read, writes, sectors_written = map(int, fields[3:])
        return DiskCounters(reads, sectors_read, writes, sectors_written)
    if len(fields) < _FIELDS:
        raise ValueError("short line")
    reads, _, sectors_read, reading, writes, _, sectors_written, writing, _, doing_io, weighted = map(int, fields[3:14])
    return DiskCounters(reads, sectors_read, writes, sectors_written, DiskTicks(reading, writing, doing_io, weighted))
