"""/proc/PID/stat: CPU time and memory of every process (Linux Documentation/filesystems/proc.rst, table 1-4)."""

from __future__ import annotations

import os
from typing import NamedTuple

from agent.readers.files import ParseError

_STAT_BYTES = 4096
MAX_HANDLES = 400
"""Of the 1,024 that a service usually may have; the processes beyond are opened anew each time."""


class Process(NamedTuple):
    """start: ticks after boot; with the pid it names a process for good. cpu_ticks: user and system together."""

    pid: int
    name: str
    start: int
    cpu_ticks: int
    resident_pages: int


class ProcessTable:
    """All processes, their files kept open, and what has not changed not parsed again."""

    def __init__(self, proc_root: str) -> None:
        self._root = proc_root
        self._handles: dict[str, int] = {}
        self._known: dict[str, tuple[bytes, Process]] = {}

    def read(self) -> dict[int, Process]:
        """Processes by pid; one that ends meanwhile is left out."""
        entries = [entry for entry in os.listdir(self._root) if entry.isdigit()]
        self._forget_all_but(entries)
        found = {entry: process for entry in entries for process in [self._process(entry)] if process is not None}
        return {process.pid: process for process in found.values()}

    def _forget_all_but(self, entries: list[str]) -> None:
        for entry in self._known.keys() - entries:
            self._forget(entry)

    def _forget(self, entry: str) -> None:
        self._known.pop(entry, None)
        handle = self._handles.pop(entry, None)
        if handle is not None:
            os.close(handle)

    def _process(self, entry: str) -> Process | None:
        try:
            data = self._read(entry)
        except OSError:
            self._forget(entry)
            return None
        known = self._known.get(entry)
        if known is not None and known[0] == data:
            return known[1]
        process = parse(data.decode("utf-8", "surrogateescape"))
        self._known[entry] = data, process
        return process

    def _read(self, entry: str) -> bytes:
        """A kept handle belongs to one process for good: of a pid that was given again, it says ESRCH."""
        handle = self._handles.get(entry)
        if handle is not None:
            try:
                return os.pread(handle, _STAT_BYTES, 0)
            except ProcessLookupError:
                self._forget(entry)
        handle = os.open(f"{self._root}/{entry}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(handle, _STAT_BYTES, 0)
        except OSError:
            os.close(handle)
            raise
        if len(self._handles) < MAX_HANDLES:
            self._handles[entry] = handle
        else:
            os.close(handle)
        return data

    def close(self) -> None:
        for entry in list(self._known):
            self._forget(entry)

    def __del__(self) -> None:
        self.close()


def parse(text: str) -> Process:
    """The name stands in parentheses and may itself hold spaces and parentheses: the last one closes it."""
    head, closing, rest = text.rpartition(")")
    pid, opening, name = head.partition("(")
    fields = rest.split(None, 22)
    if not closing or not opening or len(fields) < 22:
        raise ParseError(f"/proc/PID/stat cannot be read: {text[:80]!r}")
    try:
        ticks = int(fields[11]) + int(fields[12])
        return Process(int(pid), name, int(fields[19]), ticks, int(fields[21]))
    except ValueError:
        raise ParseError(f"/proc/PID/stat is not numbers: {text[:80]!r}") from None
