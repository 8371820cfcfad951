"""One raw reading of the machine: every reader once, each on its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Callable, NamedTuple

from agent import clocks
from agent.readers import boot, diskstats, loadavg, meminfo, netdev, pressure, stat, vmstat
from agent.readers.block import BlockDevice, BlockTree
from agent.readers.diskstats import DiskCounters
from agent.readers.files import Tree
from agent.readers.filesystems import MountTable, Usage
from agent.readers.interfaces import Interface, InterfaceTree
from agent.readers.loadavg import Loadavg
from agent.readers.meminfo import Meminfo
from agent.readers.netdev import NetCounters
from agent.readers.pressure import Pressure
from agent.readers.processes import Process, ProcessTable
from agent.readers.stat import Stat
from agent.readers.vmstat import Vmstat


@dataclass(frozen=True)
class Roots:
    """Where the kernel's files are; not /proc and /sys in a container that watches its host, and in tests."""

    proc: str = "/proc"
    sys: str = "/sys"


def _nobody(pid: int) -> int | None:
    return None


class Reading(NamedTuple):
    """What was read at one instant; None where the reader failed, and `failures` says why, by reader.

    owner_of: the user id of a process, looked up only for the few that get a row.
    """

    instant: clocks.Instant
    boot_id: str | None = None
    stat: Stat | None = None
    meminfo: Meminfo | None = None
    vmstat: Vmstat | None = None
    loadavg: Loadavg | None = None
    pressure: Mapping[str, Pressure] | None = None
    disks: Mapping[str, DiskCounters] | None = None
    block_devices: Mapping[str, BlockDevice] | None = None
    network: Mapping[str, NetCounters] | None = None
    interfaces: Mapping[str, Interface] | None = None
    filesystems: Mapping[str, Usage] | None = None
    processes: Mapping[int, Process] | None = None
    failures: Mapping[str, str] = MappingProxyType({})
    owner_of: Callable[[int], int | None] = _nobody


class Reader(NamedTuple):
    """name: as failures are told by. part: of the Reading."""

    name: str
    part: str
    read: Callable[[], Any]


class Scanner:
    """Reads one machine again and again, and keeps open and in mind what does not change between."""

    def __init__(self, roots: Roots, with_processes: bool = True) -> None:
        self._roots = roots
        self._proc = Tree(roots.proc)
        self._blocks = BlockTree(roots.sys)
        self._interfaces = InterfaceTree(roots.sys)
        self._mounts = MountTable(self._proc)
        self._processes = ProcessTable(roots.proc)
        self._disks: Mapping[str, DiskCounters] = {}
        self._boot_id: str | None = None
        self._readers = [reader for reader in self._all_readers() if with_processes or reader.name != "processes"]

    def _all_readers(self) -> Iterator[Reader]:
        proc = self._proc
        yield Reader("diskstats", "disks", self._read_disks)
        yield Reader("boot_id", "boot_id", self._read_boot_id)
        yield Reader("stat", "stat", lambda: stat.read(proc))
        yield Reader("meminfo", "meminfo", lambda: meminfo.read(proc))
        yield Reader("vmstat", "vmstat", lambda: vmstat.read(proc))
        yield Reader("loadavg", "loadavg", lambda: loadavg.read(proc))
        yield Reader("pressure", "pressure", lambda: pressure.read(proc))
        yield Reader("block", "block_devices", lambda: self._blocks.read(self._disks))
        yield Reader("netdev", "network", lambda: netdev.read(proc))
        yield Reader("interfaces", "interfaces", self._interfaces.read)
        yield Reader("filesystems", "filesystems", self._mounts.read)
        yield Reader("processes", "processes", self._processes.read)

    def take(self, now: Callable[[], clocks.Instant] = clocks.now) -> Reading:
        """Never raises: a reader that fails leaves its part None."""
        failures: dict[str, str] = {}
        parts: dict[str, Any] = {}
        instant = now()
        for name, part, read in self._readers:
            try:
                parts[part] = read()
            except Exception as error:  # a kernel that surprises one reader must not stop the others
                failures[name] = _reason(error)
        return Reading(instant, failures=failures, owner_of=self._owner, **parts)

    def _read_disks(self) -> Mapping[str, DiskCounters]:
        """Their names are kept for the look at what each is."""
        self._disks = {}
        self._disks = diskstats.read(self._proc)
        return self._disks

    def _read_boot_id(self) -> str:
        """Once: this process does not outlive its kernel."""
        if self._boot_id is None:
            self._boot_id = boot.read(self._proc)
        return self._boot_id

    def _owner(self, pid: int) -> int | None:
        try:
            return os.stat(f"{self._roots.proc}/{pid}").st_uid
        except OSError:
            return None


def take(roots: Roots, now: Callable[[], clocks.Instant] = clocks.now) -> Reading:
    """A single reading; who takes many keeps a Scanner."""
    return Scanner(roots).take(now)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'the kernel'}: {error.strerror or error}"
    return str(error) or type(error).__name__
