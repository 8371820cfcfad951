"""Memory and swap in MiB (as `free` of procps 4 reckons them)."""

from __future__ import annotations

import os

from core.catalogue import MIB

from agent.counters import forward
from agent.readers.meminfo import Meminfo
from agent.readers.vmstat import Vmstat

_KIB_PER_MIB = 1024
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def available_kb(memory: Meminfo) -> int | None:
    """MemAvailable, or an estimate before Linux 3.14 and where a container's runtime answers 0; within 0 and total."""
    available = memory.available or _estimate_kb(memory)
    return None if available is None else min(max(available, 0), memory.total)


def _estimate_kb(memory: Meminfo) -> int | None:
    if memory.free is None:
        return memory.available
    reusable = (memory.buffers or 0) + (memory.cached or 0) + (memory.reclaimable or 0)
    return memory.free + max(reusable - (memory.shmem or 0), 0)


def gauges(memory: Meminfo) -> dict[str, float | None]:
    available = available_kb(memory)
    cached = None if memory.cached is None else memory.cached + (memory.reclaimable or 0)
    return {
        "mem_total_mb": _mb(memory.total),
        "mem_used_mb": None if available is None else _mb(memory.total - available),
        "mem_free_mb": _mb(memory.free),
        "mem_available_mb": _mb(available),
        "mem_cached_mb": _mb(cached),
        "mem_buffers_mb": _mb(memory.buffers),
        "swap_total_mb": _mb(memory.swap_total),
        "swap_used_mb": _mb(_swap_used(memory)),
    }


def _swap_used(memory: Meminfo) -> int | None:
    if memory.swap_total is None or memory.swap_free is None:
        return None
    return max(memory.swap_total - memory.swap_free, 0)


def _mb(kb: int | None) -> float | None:
    return None if kb is None else kb / _KIB_PER_MIB


def rates(old: Vmstat, new: Vmstat, seconds: float) -> dict[str, float | None]:
    """MiB of swap traffic a second."""
    scale = _PAGE_BYTES / MIB / seconds
    return {
        "swap_in_mb": forward(old.swapped_in, new.swapped_in) * scale,
        "swap_out_mb": forward(old.swapped_out, new.swapped_out) * scale,
    }
