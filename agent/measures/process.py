"""The few processes that use most CPU, and most memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Callable, Optional

from core.catalogue import MIB

from agent.counters import forward
from agent.readers.files import clean_name
from agent.readers.processes import Process

TOP = 5
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


Processes = Mapping[int, Process]
OwnerOf = Callable[[int], Optional[int]]


def rows(old: Processes, new: Processes, seconds: float, owner_of: OwnerOf, top: int = TOP) -> list[dict[str, Any]]:
    """By CPU in percent of one core, then by memory; `top` of each."""
    ticks = _ticks_used(old, new)
    by_cpu = sorted(ticks, key=lambda pid: (-ticks[pid], pid))[:top]
    resident = [process for process in new.values() if process.resident_pages]
    by_memory = sorted(resident, key=lambda process: (-process.resident_pages, process.pid))[:top]
    chosen = dict.fromkeys(by_cpu + [process.pid for process in by_memory])
    return [_row(new[pid], ticks.get(pid, 0), owner_of(pid), seconds) for pid in chosen]


def _ticks_used(old: Processes, new: Processes) -> dict[int, int]:
    """Of the processes that used any; one born in the interval has used all its time in it."""
    changed = {pid: process for pid, process in new.items() if old.get(pid) is not process}
    used = {pid: _ticks(old.get(pid), process) for pid, process in changed.items()}
    return {pid: ticks for pid, ticks in used.items() if ticks}


def _ticks(old: Process | None, new: Process) -> int:
    same = old is not None and old.start == new.start
    return forward(old.cpu_ticks, new.cpu_ticks) if same and old is not None else new.cpu_ticks


def _row(process: Process, ticks: int, owner: int | None, seconds: float) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "name": clean_name(process.name),
        "user": None if owner is None else _user(owner),
        "cpu": 100 * ticks / _TICKS_PER_SECOND / seconds,
        "rss_mb": process.resident_pages * _PAGE_BYTES / MIB,
    }


@lru_cache(maxsize=256)
def _user(uid: int) -> str:
    import pwd  # an extension module, and name service libraries, for a machine that has processes to show

    try:
        return clean_name(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)
