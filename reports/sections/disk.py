"""Disk I/O: throughput, operations, latency, queue; per device where a disks export was given."""

from __future__ import annotations

from analysis.trends import Filling as Growth
from reports.document import Block, Paragraph, Table
from reports.figures import View, by_instance, distribution, instance_table, over_time, statistics_table
from reports.filesystems import DATASET, fillings, newest, say_days
from reports.wording import number

NUMBERS = (
    "disk_read_mb",
    "disk_write_mb",
    "disk_read_iops",
    "disk_write_iops",
    "disk_await_ms",
    "disk_queue_depth",
    "disk_io_util",
    "psi_io_some",
    "psi_io_full",
)
DEVICES = (("Write await by device", "write_await_ms", "ms"), ("Queue depth by device", "queue_depth", ""))


DEVICE_COLUMNS = {
    "read_mb": "Read MB/s",
    "write_mb": "Write MB/s",
    "read_await_ms": "Read await ms",
    "write_await_ms": "Write await ms",
    "queue_depth": "Queue",
    "util": "Util. %",
}


def build(view: View) -> tuple[Block, ...]:
    devices = [by_instance(view, "disks", title, metric, unit) for title, metric, unit in DEVICES]
    devices.append(instance_table(view, "disks", "Each device", DEVICE_COLUMNS))
    return (
        over_time(view, "Disk throughput", ("disk_read_mb", "disk_write_mb")),
        over_time(view, "Disk operations", ("disk_read_iops", "disk_write_iops")),
        over_time(view, "Disk await: mean time of an I/O", ("disk_await_ms",), band=True),
        *distribution(view, "Disk await", "disk_await_ms"),
        over_time(view, "Disk queue depth", ("disk_queue_depth",), band=True, height=110),
        over_time(view, "Disk utilisation of the busiest disk", ("disk_io_util",), band=True, height=110),
        Paragraph(
            "Utilisation is the share of time with at least one I/O in flight. A disk that works in parallel (SSD, "
            "NVMe, RAID) can show 100 % and have room left, so no finding of this report rests on it: await, "
            "queue depth and I/O pressure decide. Await is empty, not zero, while there was no I/O."
        ),
        over_time(view, "I/O pressure: tasks waiting for I/O", ("psi_io_some", "psi_io_full"), height=110),
        *(figure for figure in devices if figure),
        *_filesystems(view),
        statistics_table(view, "Disk I/O in numbers", NUMBERS),
    )


def _filesystems(view: View) -> tuple[Block, ...]:
    """How full each filesystem is and when it will be; and how that came."""
    if not view.machine.instances.get(DATASET):
        return (Paragraph("Filesystems: not measured. Give an export of the dataset filesystems beside this one."),)
    figure = by_instance(view, DATASET, "Space used by filesystem", "used_percent", "%")
    rows = tuple(_filesystem_row(view, mount, growth) for mount, growth in fillings(view.machine).items())
    header = ("Mount", "Type", "Size", "Used", "Used %", "Inodes %", "Growth a day", "Full in")
    table = Table("Filesystems and days until full", header, rows, (2, 3, 4, 5, 6))
    return (*([figure] if figure else []), *([table] if rows else []))


def _filesystem_row(view: View, mount: str, growth: Growth) -> tuple[str, ...]:
    samples = view.machine.instances[DATASET][mount]
    inodes = newest(samples, "inodes_used_percent")
    trend = growth.trend
    interval = f" ({_gb(trend.low)} to {_gb(trend.high)})" if trend and trend.low is not None and trend.high else ""
    return (
        mount,
        samples.labels.get("fstype", ""),
        _gb(growth.total),
        _gb(growth.used),
        number(growth.used / growth.total * 100, "%") if growth.total else "",
        "not measured" if inodes is None else number(inodes, "%"),
        "unknown" if trend is None else _gb(trend.per_day) + interval,
        say_days(growth),
    )


def _gb(megabytes: float) -> str:
    return number(megabytes / 1024, "GB")
