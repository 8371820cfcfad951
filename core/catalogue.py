"""Every dataset and every metric, declared once; everything else is looked up here or generated from here.

Standard library only and Python 3.9+, because the agent ships this file.
Sources: Linux kernel documentation, admin-guide/iostats.rst, filesystems/proc.rst, accounting/psi.rst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Tuple

MIB = 1_048_576
MAX_REAL = 1e15
"""Upper bound of an otherwise unbounded value: far above any machine, far below the limit of a 4-byte float."""


@dataclass(frozen=True)
class Alias:
    """Another header name an upload may use; `value × factor` is in the metric's own unit."""

    name: str
    factor: float


@dataclass(frozen=True)
class Metric:
    """One column of one dataset.

    kind: gauge (a state), rate (per second), share (percent of the interval) or label (text about the instance).
    dtype: real, real[] or text. aggregate: how values combine over time (mean, max, last, sum).
    """

    name: str
    title: str
    unit: str
    kind: str
    group: str
    source: str
    sentence: str
    dtype: str = "real"
    aggregate: str = "mean"
    minimum: float = 0.0
    maximum: float = MAX_REAL
    aliases: Tuple[Alias, ...] = ()

    @property
    def is_number(self) -> bool:
        return self.dtype == "real"


@dataclass(frozen=True)
class Dataset:
    """A table of samples. Key: machine, timestamp and, where `instance` is set, that column."""

    name: str
    table: str
    title: str
    sentence: str
    metrics: Tuple[Metric, ...]
    instance: Optional[str] = None
    instance_dtype: str = "text"

    @property
    def key(self) -> Tuple[str, ...]:
        return ("timestamp", "machine_id") + ((self.instance,) if self.instance else ())

    @property
    def metric_names(self) -> Tuple[str, ...]:
        return tuple(metric.name for metric in self.metrics)

    @property
    def columns(self) -> Tuple[str, ...]:
        """Columns of a CSV file of this dataset, key first."""
        return self.key + self.metric_names

    def metric(self, name: str) -> Metric:
        """The metric of that name; KeyError when there is none."""
        return _by_name(self)[name]


def _by_name(dataset: Dataset) -> Mapping[str, Metric]:
    return {metric.name: metric for metric in dataset.metrics}


def _kb(*names: str) -> Tuple[Alias, ...]:
    return tuple(Alias(name, 1 / 1024) for name in names)


def _bytes(*names: str) -> Tuple[Alias, ...]:
    return tuple(Alias(name, 1 / MIB) for name in names)


def _cpu(name: str, title: str, fields: str, sentence: str) -> Metric:
    source = f"/proc/stat, line cpu: {fields}"
    return Metric(name, title, "%", "share", "cpu", source, sentence, maximum=100)


def _memory(name: str, title: str, source: str, sentence: str) -> Metric:
    alias = _kb(name[: -len("mb")] + "kb")
    return Metric(name, title, "MB", "gauge", "memory", f"/proc/meminfo: {source}", sentence, aliases=alias)


def _psi(name: str, title: str, resource: str, line: str, sentence: str) -> Metric:
    source = f"/proc/pressure/{resource}: {line} total"
    return Metric(name, title, "%", "share", "pressure", source, sentence, maximum=100)


_CPU = (
    _cpu("cpu_user", "CPU user", "user (guest is inside it)", "Time in user space, guests included."),
    _cpu("cpu_nice", "CPU nice", "nice (guest_nice is inside it)", "Time in user space at lowered priority."),
    _cpu("cpu_system", "CPU system", "system", "Time in the kernel, interrupts apart."),
    _cpu("cpu_irq", "CPU interrupts", "irq + softirq", "Time serving hardware and software interrupts."),
    _cpu("cpu_iowait", "CPU I/O wait", "iowait", "Idle time with disk I/O outstanding; a hint, not a load."),
    _cpu("cpu_steal", "CPU steal", "steal", "Time the hypervisor gave to other guests."),
    _cpu("cpu_idle", "CPU idle", "idle", "Time with nothing to run."),
    Metric(
        "cpu_cores",
        "Busy per core",
        "%",
        "share",
        "cpu",
        "/proc/stat, lines cpuN",
        "Busy percent of each core, in order of the core's number.",
        dtype="real[]",
        maximum=100,
    ),
)

_MEMORY = (
    _memory("mem_total_mb", "Memory total", "MemTotal", "Memory the kernel can use."),
    _memory("mem_used_mb", "Memory used", "MemTotal − MemAvailable", "Memory that a new program could not get."),
    _memory("mem_free_mb", "Memory free", "MemFree", "Memory that holds nothing at all."),
    _memory(
        "mem_available_mb", "Memory available", "MemAvailable", "Memory that a new program could get without swapping."
    ),
    _memory(
        "mem_cached_mb",
        "Page cache",
        "Cached + SReclaimable",
        "File contents and reclaimable kernel objects in memory.",
    ),
    _memory("mem_buffers_mb", "Buffers", "Buffers", "Raw block device contents in memory."),
    _memory("swap_total_mb", "Swap total", "SwapTotal", "Swap space configured."),
    _memory("swap_used_mb", "Swap used", "SwapTotal − SwapFree", "Swap space in use."),
    Metric(
        "swap_in_mb",
        "Swap in",
        "MB/s",
        "rate",
        "memory",
        "/proc/vmstat: pswpin × page size",
        "Memory read back from swap.",
        aliases=_kb("swap_in_kb"),
    ),
    Metric(
        "swap_out_mb",
        "Swap out",
        "MB/s",
        "rate",
        "memory",
        "/proc/vmstat: pswpout × page size",
        "Memory written out to swap.",
        aliases=_kb("swap_out_kb"),
    ),
)


def _disk(prefix: str) -> Tuple[Metric, ...]:
    """Throughput and operations of one disk, or (prefix `disk_`) of all whole physical disks together."""
    of = "all whole physical disks" if prefix else "the device"
    stats = "/proc/diskstats"
    return (
        Metric(
            f"{prefix}read_mb",
            "Disk read",
            "MB/s",
            "rate",
            "disk",
            f"{stats}: sectors read × 512",
            f"Data read from {of}.",
            aliases=_bytes(f"{prefix}read_bytes"),
        ),
        Metric(
            f"{prefix}write_mb",
            "Disk write",
            "MB/s",
            "rate",
            "disk",
            f"{stats}: sectors written × 512",
            f"Data written to {of}.",
            aliases=_bytes(f"{prefix}write_bytes"),
        ),
        Metric(
            f"{prefix}read_iops",
            "Disk read operations",
            "1/s",
            "rate",
            "disk",
            f"{stats}: reads completed",
            f"Read operations completed by {of}.",
        ),
        Metric(
            f"{prefix}write_iops",
            "Disk write operations",
            "1/s",
            "rate",
            "disk",
            f"{stats}: writes completed",
            f"Write operations completed by {of}.",
        ),
    )


_QUEUE_SOURCE = "/proc/diskstats: weighted time doing I/O ÷ interval"
_UTIL_SOURCE = "/proc/diskstats: time doing I/O ÷ interval"

_DISK = (
    *_disk("disk_"),
    Metric(
        "disk_await_ms",
        "Disk await",
        "ms",
        "gauge",
        "disk",
        "/proc/diskstats: time of I/Os ÷ I/Os completed",
        "Mean time of an I/O from queueing to completion; empty when there was none.",
    ),
    Metric(
        "disk_queue_depth",
        "Disk queue depth",
        "",
        "gauge",
        "disk",
        _QUEUE_SOURCE,
        "Mean number of I/Os in flight, all disks together.",
    ),
    Metric(
        "disk_io_util",
        "Disk utilisation",
        "%",
        "share",
        "disk",
        _UTIL_SOURCE,
        "Share of time the busiest disk had I/O in flight; no proof of saturation on a disk that works in parallel.",
        maximum=100,
    ),
)

_DISKS = (
    *_disk(""),
    Metric(
        "read_await_ms",
        "Read await",
        "ms",
        "gauge",
        "disk",
        "/proc/diskstats: time reading ÷ reads completed",
        "Mean time of a read; empty when there was none.",
    ),
    Metric(
        "write_await_ms",
        "Write await",
        "ms",
        "gauge",
        "disk",
        "/proc/diskstats: time writing ÷ writes completed",
        "Mean time of a write; empty when there was none.",
    ),
    Metric("queue_depth", "Queue depth", "", "gauge", "disk", _QUEUE_SOURCE, "Mean number of I/Os in flight."),
    Metric("util", "Utilisation", "%", "share", "disk", _UTIL_SOURCE, "Share of time with I/O in flight.", maximum=100),
)


def _net(prefix: str) -> Tuple[Metric, ...]:
    """Traffic of one interface, or (prefix `net_`) of all physical interfaces together."""
    of = "all physical interfaces" if prefix else "the interface"
    dev = "/proc/net/dev"
    directions = (("rx", "received", "receive"), ("tx", "sent", "transmit"))
    traffic = [
        Metric(
            f"{prefix}{way}_mb",
            f"Network {did}",
            "MB/s",
            "rate",
            "network",
            f"{dev}: {side} bytes",
            f"Data {did} by {of}.",
            aliases=_bytes(f"{prefix}{way}_bytes"),
        )
        for way, did, side in directions
    ]
    counted = [
        Metric(
            f"{prefix}{way}_{what}",
            f"{what.capitalize()} {did}",
            "1/s",
            "rate",
            "network",
            f"{dev}: {side} {field}",
            f"{noun} {of}.",
        )
        for what, field, nouns in (
            ("packets", "packets", ("Packets received by", "Packets sent by")),
            ("errors", "errs", ("Receive errors of", "Transmit errors of")),
            ("drops", "drop", ("Received packets dropped by", "Outgoing packets dropped by")),
        )
        for (way, did, side), noun in zip(directions, nouns)
    ]
    return (*traffic, *counted)


def _load(minutes: int) -> Metric:
    word = {1: "first", 5: "second", 15: "third"}[minutes]
    return Metric(
        f"load_{minutes}min",
        f"Load {minutes} min",
        "",
        "gauge",
        "load",
        f"/proc/loadavg: {word} field",
        f"Tasks running or in uninterruptible sleep, averaged by the kernel over {minutes} min.",
        maximum=1e6,
    )


_LOAD = (
    _load(1),
    _load(5),
    _load(15),
    Metric(
        "procs_running",
        "Run queue",
        "",
        "gauge",
        "load",
        "/proc/stat: procs_running",
        "Tasks running or ready to run.",
        maximum=1e7,
    ),
    Metric(
        "procs_blocked",
        "Blocked tasks",
        "",
        "gauge",
        "load",
        "/proc/stat: procs_blocked",
        "Tasks waiting for I/O to finish.",
        maximum=1e7,
    ),
    Metric(
        "context_switches",
        "Context switches",
        "1/s",
        "rate",
        "load",
        "/proc/stat: ctxt",
        "Switches from one task to another.",
    ),
)

_PRESSURE = (
    _psi("psi_cpu_some", "CPU pressure", "cpu", "some", "Share of time in which a task waited for a CPU."),
    _psi("psi_memory_some", "Memory pressure", "memory", "some", "Share of time in which a task waited for memory."),
    _psi("psi_memory_full", "Memory stall", "memory", "full", "Share of time in which every task waited for memory."),
    _psi("psi_io_some", "I/O pressure", "io", "some", "Share of time in which a task waited for I/O."),
    _psi("psi_io_full", "I/O stall", "io", "full", "Share of time in which every task waited for I/O."),
)

_FILESYSTEMS = (
    Metric(
        "device",
        "Device",
        "",
        "label",
        "filesystem",
        "/proc/self/mountinfo: mount source",
        "What is mounted.",
        dtype="text",
        aggregate="last",
    ),
    Metric(
        "fstype",
        "Type",
        "",
        "label",
        "filesystem",
        "/proc/self/mountinfo: filesystem type",
        "Kind of filesystem.",
        dtype="text",
        aggregate="last",
    ),
    Metric(
        "total_mb",
        "Size",
        "MB",
        "gauge",
        "filesystem",
        "statvfs: f_blocks × f_frsize",
        "Size of the filesystem.",
        aggregate="last",
    ),
    Metric(
        "used_mb",
        "Used",
        "MB",
        "gauge",
        "filesystem",
        "statvfs: (f_blocks − f_bfree) × f_frsize",
        "Space in use.",
        aggregate="last",
    ),
    Metric(
        "available_mb",
        "Available",
        "MB",
        "gauge",
        "filesystem",
        "statvfs: f_bavail × f_frsize",
        "Space that unprivileged programs can still use.",
        aggregate="last",
    ),
    Metric(
        "used_percent",
        "Used",
        "%",
        "gauge",
        "filesystem",
        "used ÷ (used + available), as df",
        "Share of the usable space in use.",
        maximum=100,
        aggregate="max",
    ),
    Metric(
        "inodes_used_percent",
        "Inodes used",
        "%",
        "gauge",
        "filesystem",
        "statvfs: 1 − f_favail ÷ f_files",
        "Share of the inodes in use.",
        maximum=100,
        aggregate="max",
    ),
)

_PROCESSES = (
    Metric(
        "name",
        "Name",
        "",
        "label",
        "process",
        "/proc/PID/stat: comm",
        "Name of the program.",
        dtype="text",
        aggregate="last",
    ),
    Metric(
        "user",
        "User",
        "",
        "label",
        "process",
        "/proc/PID: owner",
        "User the process runs as.",
        dtype="text",
        aggregate="last",
    ),
    Metric(
        "cpu",
        "CPU",
        "%",
        "share",
        "process",
        "/proc/PID/stat: utime + stime",
        "CPU time, in percent of one core.",
        maximum=1e6,
    ),
    Metric(
        "rss_mb",
        "Resident memory",
        "MB",
        "gauge",
        "process",
        "/proc/PID/statm: resident × page size",
        "Memory resident for the process.",
    ),
)

SYSTEM = Dataset(
    "system",
    "analysis_data",
    "System",
    "The whole machine, one row a sample.",
    (*_CPU, *_MEMORY, *_DISK, *_net("net_"), *_LOAD, *_PRESSURE),
)
DISKS = Dataset("disks", "analysis_disks", "Disks", "One row a sample and block device.", _DISKS, "device")
INTERFACES = Dataset(
    "interfaces", "analysis_interfaces", "Interfaces", "One row a sample and network interface.", _net(""), "interface"
)
FILESYSTEMS = Dataset(
    "filesystems",
    "analysis_filesystems",
    "Filesystems",
    "One row a sample and mounted filesystem.",
    _FILESYSTEMS,
    "mount",
)
PROCESSES = Dataset(
    "processes",
    "analysis_processes",
    "Processes",
    "The top few processes by CPU and by memory of a sample.",
    _PROCESSES,
    "pid",
    "bigint",
)

DATASETS: Mapping[str, Dataset] = {
    dataset.name: dataset for dataset in (SYSTEM, DISKS, INTERFACES, FILESYSTEMS, PROCESSES)
}


def groups(dataset: Dataset) -> Mapping[str, Tuple[str, ...]]:
    """Metric names of each display group, in the catalogue's order."""
    names: dict[str, list[str]] = {}
    for metric in dataset.metrics:
        names.setdefault(metric.group, []).append(metric.name)
    return {group: tuple(members) for group, members in names.items()}


def fingerprint() -> str:
    """Changes when a stored column changes; the newest migration of `analysis` carries it."""
    import hashlib  # only the portal asks, and the agent is lighter without it

    columns = [f"{d.table}.{m.name}:{m.dtype}" for d in DATASETS.values() for m in d.metrics]
    return hashlib.sha256("\n".join(columns).encode()).hexdigest()[:16]
