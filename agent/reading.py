"""One raw reading of the machine: every reader once, each on its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Callable, TypeVar

from agent import clocks
from agent.readers import (
    block,
    boot,
    diskstats,
    filesystems,
    interfaces,
    loadavg,
    meminfo,
    netdev,
    pressure,
    processes,
    stat,
    vmstat,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Roots:
    """Where the kernel's files are; not /proc and /sys in a container that watches its host, and in tests."""

    proc: str = "/proc"
    sys: str = "/sys"


@dataclass(frozen=True)
class Reading:
    """What was read at one instant; None where the reader failed, and `failures` says why, by reader."""

    instant: clocks.Instant
    boot_id: str | None = None
    stat: stat.Stat | None = None
    meminfo: meminfo.Meminfo | None = None
    vmstat: vmstat.Vmstat | None = None
    loadavg: loadavg.Loadavg | None = None
    pressure: Mapping[str, pressure.Pressure] | None = None
    disks: Mapping[str, diskstats.DiskCounters] | None = None
    block_devices: Mapping[str, block.BlockDevice] | None = None
    network: Mapping[str, netdev.NetCounters] | None = None
    interfaces: Mapping[str, interfaces.Interface] | None = None
    filesystems: Mapping[str, filesystems.Usage] | None = None
    processes: Mapping[int, processes.Process] | None = None
    failures: Mapping[str, str] = field(default_factory=dict)


def take(roots: Roots, now: Callable[[], clocks.Instant] = clocks.now) -> Reading:
    """Never raises: a reader that fails leaves its part None."""
    failures: dict[str, str] = {}

    def attempt(name: str, read: Callable[[str], T], root: str) -> T | None:
        try:
            return read(root)
        except Exception as error:  # a kernel that surprises one reader must not stop the others
            failures[name] = _reason(error)
            return None

    return Reading(
        now(),
        attempt("boot_id", boot.read, roots.proc),
        attempt("stat", stat.read, roots.proc),
        attempt("meminfo", meminfo.read, roots.proc),
        attempt("vmstat", vmstat.read, roots.proc),
        attempt("loadavg", loadavg.read, roots.proc),
        attempt("pressure", pressure.read, roots.proc),
        attempt("diskstats", diskstats.read, roots.proc),
        attempt("block", block.read, roots.sys),
        attempt("netdev", netdev.read, roots.proc),
        attempt("interfaces", interfaces.read, roots.sys),
        attempt("filesystems", filesystems.read, roots.proc),
        attempt("processes", processes.read, roots.proc),
        failures,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'the kernel'}: {error.strerror or error}"
    return str(error) or type(error).__name__
