"""One record of `sadf -j` as rows of the catalogue (sysstat's man/sar.in says what each field is).

The names changed over the versions (10 to 12): each is looked up under all that it has had. What a version does not
have stays empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from core.catalogue import DATASETS, MIB, Dataset

from agent.measures import disk, network
from agent.readers.block import BlockDevice
from agent.readers.interfaces import Interface

Record = Mapping[str, Any]
Row = dict[str, Any]
_KIB = 1024
_SECTOR_BYTES = 512
_PSI = {
    "psi_cpu_some": ("psi-cpu", "some_avg"),
    "psi_memory_some": ("psi-mem", "some_avg"),
    "psi_memory_full": ("psi-mem", "full_avg"),
    "psi_io_some": ("psi-io", "some_avg"),
    "psi_io_full": ("psi-io", "full_avg"),
}
_NET = {
    "rx_mb": ("rxkB", 1 / 1024),
    "tx_mb": ("txkB", 1 / 1024),
    "rx_packets": ("rxpck", 1.0),
    "tx_packets": ("txpck", 1.0),
    "rx_errors": ("rxerr", 1.0),
    "tx_errors": ("txerr", 1.0),
    "rx_drops": ("rxdrop", 1.0),
    "tx_drops": ("txdrop", 1.0),
}


@dataclass(frozen=True)
class Machine:
    """What is known of the machine beside its records; of another machine than this, names must do."""

    page_bytes: int = 4096
    block_devices: Optional[Mapping[str, BlockDevice]] = None
    interfaces: Optional[Mapping[str, Interface]] = None


def datasets(record: Record, machine: Machine) -> dict[str, list[Row]]:
    """Rows by dataset; a value outside the metric's range (a counter that wrapped) is empty."""
    disks = [_disk(entry) for entry in _entries(record, "disk") if "disk-device" in entry]
    interfaces = _interfaces(record)
    system = {**_cpu(record), **_memory(record, machine), **_load(record), **_pressure(record)}
    system.update(_disk_totals(record, disks, machine))
    system.update(_network_totals(interfaces, machine))
    found = {"system": [system], "disks": disks, "interfaces": interfaces}
    return {name: [_plausible(row, DATASETS[name]) for row in rows] for name, rows in found.items()}


def _entries(record: Record, *path: str) -> Sequence[Record]:
    found: Any = record
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def _part(record: Record, name: str) -> Record:
    part = record.get(name)
    return part if isinstance(part, Mapping) else {}


def _number(record: Record, *names: str) -> Optional[float]:
    """The first of these fields that is there."""
    for name in names:
        value = record.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return None


def _sum(*values: Optional[float]) -> Optional[float]:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _scaled(value: Optional[float], factor: float) -> Optional[float]:
    return None if value is None else value * factor


def _cpu(record: Record) -> Row:
    """`sar -u ALL` has guests and interrupts apart; plain `sar -u` has interrupts inside system."""
    loads = {str(entry.get("cpu")): entry for entry in _entries(record, "cpu-load") or _entries(record, "cpu-load-all")}
    every = loads.pop("all", loads.pop("-1", {}))
    cores = [_busy(loads[name]) for name in sorted(loads, key=_core_number) if _is_online(loads[name])]
    return {
        "cpu_user": _sum(_number(every, "user", "usr"), _number(every, "guest")),
        "cpu_nice": _sum(_number(every, "nice"), _number(every, "gnice")),
        "cpu_system": _number(every, "system", "sys"),
        "cpu_irq": _sum(_number(every, "irq"), _number(every, "soft")),
        "cpu_iowait": _number(every, "iowait"),
        "cpu_steal": _number(every, "steal"),
        "cpu_idle": _number(every, "idle"),
        "cpu_cores": cores or None,
        "context_switches": _number(_part(record, "process-and-context-switch"), "cswch"),
    }


def _core_number(name: str) -> int:
    return int(name) if name.isdigit() else 1 << 30


def _is_online(entry: Record) -> bool:
    """A core that is off has nothing but zeros, idle too."""
    return any(_number(entry, name) for name in entry if name != "cpu")


def _busy(entry: Record) -> float:
    idle = (_number(entry, "idle") or 0.0) + (_number(entry, "iowait") or 0.0)
    return min(max(100.0 - idle, 0.0), 100.0)


def _memory(record: Record, machine: Machine) -> Row:
    kib = _part(record, "memory")
    swap = _part(record, "swap-pages")
    total = _total_kib(kib)
    available = _number(kib, "avail")
    swap_free, swap_used = _number(kib, "swpfree"), _number(kib, "swpused")
    columns = {
        "mem_total_mb": total,
        "mem_used_mb": _used_kib(kib, total),
        "mem_free_mb": _number(kib, "memfree"),
        "mem_available_mb": available,
        "mem_cached_mb": _number(kib, "cached"),
        "mem_buffers_mb": _number(kib, "buffers"),
        "swap_total_mb": None if swap_free is None or swap_used is None else swap_free + swap_used,
        "swap_used_mb": swap_used,
    }
    pages = machine.page_bytes / MIB
    return {
        **{name: _scaled(value, 1 / _KIB) for name, value in columns.items()},
        "swap_in_mb": _scaled(_number(swap, "pswpin"), pages),
        "swap_out_mb": _scaled(_number(swap, "pswpout"), pages),
    }


def _total_kib(kib: Record) -> Optional[float]:
    """sysstat gives no total. Used was all but free up to 11.6, and is without caches and slab since: the percentage,
    rounded as it is, tells which of the two sums is the total."""
    free, used, percent = _number(kib, "memfree"), _number(kib, "memused"), _number(kib, "memused-percent")
    if free is None or used is None:
        return None
    caches = [_number(kib, name) or 0.0 for name in ("buffers", "cached", "slab")]
    candidates = (free + used, free + used + sum(caches))
    if not percent:
        return candidates[0]
    return min(candidates, key=lambda total: abs(total - used * 100 / percent))


def _used_kib(kib: Record, total: Optional[float]) -> Optional[float]:
    """Total − available; before Linux 3.14, or sysstat 11.7, what is left without free memory and caches."""
    if total is None:
        return None
    available = _number(kib, "avail")
    if available is None:
        available = sum(_number(kib, name) or 0.0 for name in ("memfree", "buffers", "cached"))
    return max(total - available, 0.0)


def _load(record: Record) -> Row:
    queue = _part(record, "queue")
    return {
        "load_1min": _number(queue, "ldavg-1"),
        "load_5min": _number(queue, "ldavg-5"),
        "load_15min": _number(queue, "ldavg-15"),
        "procs_running": _number(queue, "runq-sz"),
        "procs_blocked": _number(queue, "blocked"),
    }


def _pressure(record: Record) -> Row:
    """`some_avg` is the share of the interval; the others are the kernel's own averages."""
    psi = _part(record, "psi")
    return {name: _number(_part(psi, part), field) for name, (part, field) in _PSI.items()}


def _disk(entry: Record) -> Row:
    """sysstat counts reads and writes of one device together, so their rates and waits stay empty."""
    read = _number(entry, "rkB")
    written = _number(entry, "wkB")
    sectors = _SECTOR_BYTES / MIB
    return {
        "device": str(entry["disk-device"]),
        "read_mb": _scaled(_number(entry, "rd_sec"), sectors) if read is None else read / _KIB,
        "write_mb": _scaled(_number(entry, "wr_sec"), sectors) if written is None else written / _KIB,
        "queue_depth": _number(entry, "aqu-sz", "avgqu-sz"),
        "util": _percent(_number(entry, "util-percent")),
        "_iops": _number(entry, "tps"),
        "_await_ms": _number(entry, "await"),
    }


def _percent(value: Optional[float]) -> Optional[float]:
    return None if value is None else min(value, 100.0)


def _disk_totals(record: Record, disks: Sequence[Row], machine: Machine) -> Row:
    """Whole physical disks only. Operations come from `sar -b`, which tells reads from writes."""
    by_name = {row["device"]: row for row in disks}
    rows = [by_name[name] for name in disk.layout(by_name, machine.block_devices).physical]
    io = _part(record, "io")
    return {
        "disk_read_mb": _column_sum(rows, "read_mb"),
        "disk_write_mb": _column_sum(rows, "write_mb"),
        "disk_read_iops": _number(_part(io, "io-reads"), "rtps"),
        "disk_write_iops": _number(_part(io, "io-writes"), "wtps"),
        "disk_await_ms": _mean_await(rows),
        "disk_queue_depth": _column_sum(rows, "queue_depth"),
        "disk_io_util": max((row["util"] for row in rows if row["util"] is not None), default=None),
    }


def _column_sum(rows: Iterable[Row], name: str) -> Optional[float]:
    return _sum(*(row[name] for row in rows))


def _mean_await(rows: Iterable[Row]) -> Optional[float]:
    """Each disk counts by its I/Os; empty when there were none."""
    weights = [(row["_iops"], row["_await_ms"]) for row in rows if row["_iops"] and row["_await_ms"] is not None]
    return sum(iops * wait for iops, wait in weights) / sum(iops for iops, _ in weights) if weights else None


def _interfaces(record: Record) -> list[Row]:
    errors = {entry.get("iface"): entry for entry in _entries(record, "network", "net-edev")}
    rows = []
    for entry in _entries(record, "network", "net-dev"):
        name = entry.get("iface")
        fields = {**entry, **errors.get(name, {})}
        if name and name != "lo":
            values = {column: _scaled(_number(fields, field), factor) for column, (field, factor) in _NET.items()}
            rows.append({"interface": str(name), **values})
    return rows


def _network_totals(interfaces: Sequence[Row], machine: Machine) -> Row:
    by_name = {row["interface"]: row for row in interfaces}
    names = network.layout(by_name, machine.interfaces).physical
    return {f"net_{column}": _column_sum((by_name[name] for name in names), column) for column in _NET}


def _plausible(row: Row, dataset: Dataset) -> Row:
    kept = {name: value for name, value in row.items() if name in dataset.columns}
    for metric in dataset.metrics:
        value = kept.get(metric.name)
        if isinstance(value, float) and not metric.minimum <= value <= metric.maximum:
            kept[metric.name] = None
    return kept
