"""/proc/meminfo: sizes in KiB, though the file says kB (Linux Documentation/filesystems/proc.rst, meminfo)."""

from __future__ import annotations

from typing import NamedTuple

from agent.readers.files import ParseError, Tree


class Meminfo(NamedTuple):
    """KiB; None where this kernel has no such line."""

    total: int
    free: int | None = None
    available: int | None = None
    buffers: int | None = None
    cached: int | None = None
    reclaimable: int | None = None
    shmem: int | None = None
    swap_total: int | None = None
    swap_free: int | None = None


_FIELDS = {
    "MemTotal": "total",
    "MemFree": "free",
    "MemAvailable": "available",
    "Buffers": "buffers",
    "Cached": "cached",
    "SReclaimable": "reclaimable",
    "Shmem": "shmem",
    "SwapTotal": "swap_total",
    "SwapFree": "swap_free",
}


def read(proc: Tree) -> Meminfo:
    return parse(proc.short_lines("meminfo"))


def parse(text: str) -> Meminfo:
    sizes: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        field = _FIELDS.get(name)
        if field is not None:
            sizes[field] = _size(line, rest)
            if len(sizes) == len(_FIELDS):
                break
    if "total" not in sizes:
        raise ParseError("/proc/meminfo has no MemTotal")
    return Meminfo(**sizes)


def _size(line: str, text: str) -> int:
    words = text.split()
    if not words or not words[0].isdigit():
        raise ParseError(f"/proc/meminfo has a line without a size: {line[:80]!r}")
    return int(words[0])
