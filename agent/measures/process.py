"""The few processes that use most CPU, and most memory."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from core.catalogue import MIB

from agent.counters import forward
from agent.readers.files import clean_name
from agent.readers.processes import Process

TOP = 5
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def rows(old: Mapping[int, Process], new: Mapping[int, Process], seconds: float) -> list[dict[str, Any]]:
    """By CPU in percent of one core; a process born in the interval has used all its time in it."""
    ticks = {pid: _ticks(old.get(pid), process) for pid, process in new.items()}
    by_cpu = sorted((pid for pid in new if ticks[pid]), key=lambda pid: (-ticks[pid], pid))[:TOP]
    by_memory = sorted(
        (pid for pid in new if new[pid].resident_pages), key=lambda pid: (-new[pid].resident_pages, pid)
    )[:TOP]
    chosen = dict.fromkeys(by_cpu + by_memory)
    return [_row(new[pid], ticks[pid], seconds) for pid in chosen]


def _ticks(old: Process | None, new: Process) -> int:
    same = old is not None and old.start == new.start
    return forward(old.cpu_ticks, new.cpu_ticks) if same and old is not None else new.cpu_ticks


def _row(process: Process, ticks: int, seconds: float) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "name": clean_name(process.name),
        "user": _user(process.owner),
        "cpu": 100 * ticks / _TICKS_PER_SECOND / seconds,
        "rss_mb": process.resident_pages * _PAGE_BYTES / MIB,
    }


@lru_cache(maxsize=256)
def _user(uid: int) -> str:
    try:
        return clean_name(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return str(uid)
