"""Disk I/O: throughput, operations, latency, queue; per device where a disks export was given."""

from __future__ import annotations

from reports.document import Block, Paragraph
from reports.figures import View, by_instance, over_time, statistics_table

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


def build(view: View) -> tuple[Block, ...]:
    devices = [by_instance(view, "disks", title, metric, unit) for title, metric, unit in DEVICES]
    return (
        over_time(view, "Disk throughput", ("disk_read_mb", "disk_write_mb")),
        over_time(view, "Disk operations", ("disk_read_iops", "disk_write_iops")),
        over_time(view, "Disk await: mean time of an I/O", ("disk_await_ms",), band=True),
        over_time(view, "Disk queue depth", ("disk_queue_depth",), band=True, height=110),
        over_time(view, "Disk utilisation of the busiest disk", ("disk_io_util",), band=True, height=110),
        Paragraph(
            "Utilisation is the share of time with at least one I/O in flight. A disk that works in parallel (SSD, "
            "NVMe, RAID) can show 100 % and have room left, so no finding of this report rests on it: await, "
            "queue depth and I/O pressure decide. Await is empty, not zero, while there was no I/O."
        ),
        over_time(view, "I/O pressure: tasks waiting for I/O", ("psi_io_some", "psi_io_full"), height=110),
        *(figure for figure in devices if figure),
        statistics_table(view, "Disk I/O in numbers", NUMBERS),
    )
