"""/proc/stat: CPU time, context switches, tasks running and blocked (Linux Documentation/filesystems/proc.rst, 1.7)."""

from __future__ import annotations

from typing import NamedTuple

from agent.readers.files import ParseError, Tree

_FIELDS = 8
_COUNTS = ("ctxt", "procs_running", "procs_blocked")


class CpuTimes(NamedTuple):
    """Ticks since boot. guest and guest_nice are left out: the kernel counts them in user and nice already.

    user, nice, system, idle: all that Linux 2.4 had; each later field is 0 where it is missing.
    """

    user: int
    nice: int
    system: int
    idle: int
    iowait: int = 0
    irq: int = 0
    softirq: int = 0
    steal: int = 0


class Stat(NamedTuple):
    cpu: CpuTimes
    cores: dict[int, CpuTimes]
    context_switches: int | None = None
    procs_running: int | None = None
    procs_blocked: int | None = None


def read(proc: Tree) -> Stat:
    return parse(proc.short_lines("stat"))


def parse(text: str) -> Stat:
    cpu: CpuTimes | None = None
    cores: dict[int, CpuTimes] = {}
    counts: dict[str, int] = {}
    for line in text.splitlines():
        name, _, rest = line.partition(" ")
        if name == "cpu":
            cpu = _times(line, rest)
        elif name.startswith("cpu") and name[3:].isdigit():
            cores[int(name[3:])] = _times(line, rest)
        elif name in _COUNTS:
            counts[name] = _count(line, rest)
    if cpu is None:
        raise ParseError("/proc/stat has no line cpu")
    return Stat(cpu, cores, counts.get("ctxt"), counts.get("procs_running"), counts.get("procs_blocked"))


def _times(line: str, text: str) -> CpuTimes:
    try:
        return CpuTimes(*map(int, text.split()[:_FIELDS]))
    except (ValueError, TypeError):
        raise ParseError(f"/proc/stat has a line that is short or not numbers: {line[:80]!r}") from None


def _count(line: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ParseError(f"/proc/stat has a line that is no number: {line[:80]!r}") from None
