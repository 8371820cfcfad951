"""/proc/PID/stat: CPU time and memory of every process (Linux Documentation/filesystems/proc.rst, table 1-4)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from agent.readers.files import ParseError, read_text


@dataclass(frozen=True)
class Process:
    """start: ticks after boot; with the pid it names a process for good. cpu_ticks: user and system together."""

    pid: int
    name: str
    start: int
    cpu_ticks: int
    resident_pages: int
    owner: int = 0


def read(proc_root: str) -> dict[int, Process]:
    """Processes by pid; one that ends meanwhile is left out."""
    processes: dict[int, Process] = {}
    for entry in os.listdir(proc_root):
        if entry.isdigit():
            try:
                path = f"{proc_root}/{entry}"
                processes[int(entry)] = parse(read_text(f"{path}/stat"), os.stat(path).st_uid)
            except OSError:
                continue
    return processes


def parse(text: str, owner: int = 0) -> Process:
    """The name stands in parentheses and may itself hold spaces and parentheses: the last one closes it."""
    head, closing, rest = text.rpartition(")")
    pid, opening, name = head.partition("(")
    fields = rest.split()
    if not closing or not opening or len(fields) < 22:
        raise ParseError(f"/proc/PID/stat cannot be read: {text[:80]!r}")
    try:
        ticks = int(fields[11]) + int(fields[12])
        return Process(int(pid), name, int(fields[19]), ticks, int(fields[21]), owner)
    except ValueError:
        raise ParseError(f"/proc/PID/stat is not numbers: {text[:80]!r}") from None
