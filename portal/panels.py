"""The charts of a machine's page: which metrics are drawn together, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.catalogue import DISKS, FILESYSTEMS, INTERFACES, SYSTEM, Dataset, Metric
from reports import charts

HEIGHT = 170
BANDS = 2


@dataclass(frozen=True)
class Named:
    """A metric under the name it has in one chart. complement: 100 − value is drawn (busy, from idle)."""

    name: str
    title: str
    complement: bool = False


@dataclass(frozen=True)
class Panel:
    """One chart: metrics of one dataset in one unit. wide: over the whole width."""

    key: str
    title: str
    dataset: Dataset
    series: Sequence[Named]
    unit: str
    stacked: bool = False
    maximum: float | None = None
    hint: str = ""
    wide: bool = False

    @property
    def band(self) -> bool:
        """Whether lowest and highest of a long range are shaded; more than two bands hide each other."""
        return not self.stacked and len(self.series) <= BANDS

    def spec(self) -> dict[str, Any]:
        """Its chart. The legend is the page's own: it wraps, and carries the newest values."""
        spec = charts.time_series(
            "", "", self.series, stacked=self.stacked, band=self.band, maximum=self.maximum,
            height=HEIGHT, interactive=False,
        )  # fmt: skip
        spec["encoding"]["color"]["legend"] = None
        unit = f", {self.unit}" if self.unit else ""
        spec["description"] = f"{self.title}{unit}{spec['description']}"
        return spec


@dataclass(frozen=True)
class Section:
    """Charts under one heading; of a dataset with instances, once for each instance."""

    key: str
    title: str
    dataset: Dataset
    panels: Sequence[Panel] = field(default_factory=tuple)
    empty: str = ""


def _panel(key: str, title: str, dataset: Dataset, *names: str, hint: str = "", **options: Any) -> Panel:
    metrics = [dataset.metric(name) for name in names]
    units = {metric.unit for metric in metrics}
    if len(units) != 1:
        raise ValueError(f"the chart {key} mixes units: {units}")
    named = [Named(metric.name, _short(metric)) for metric in metrics]
    return Panel(key, title, dataset, named, units.pop(), hint=hint, **options)


_SHORT = {
    "CPU ": "", "Memory ": "", "Page cache": "page cache", "Disk ": "", "Network ": "", "Packets ": "",
}  # fmt: skip


def _short(metric: Metric) -> str:
    """The metric's title without what the chart's own title says already."""
    title = metric.title
    for prefix, instead in _SHORT.items():
        if title.startswith(prefix) and metric.group != "pressure":
            title = instead + title[len(prefix) :]
            break
    return title[0].lower() + title[1:] if not title[1:2].isupper() else title


_BUSY = Panel(
    "cpu-busy", "CPU busy", SYSTEM, [Named("cpu_idle", "busy", complement=True)], "%", maximum=100,
    hint="All that is not idle or waiting for disk. The shade spans lowest to highest sample.",
)  # fmt: skip

SYSTEM_SECTIONS = (
    Section(
        "cpu",
        "Processor",
        SYSTEM,
        (
            _panel(
                "cpu-mode", "CPU by mode", SYSTEM,
                "cpu_user", "cpu_nice", "cpu_system", "cpu_irq", "cpu_iowait", "cpu_steal",
                stacked=True, maximum=100, wide=True, hint="Share of all CPUs. Idle is what is missing to 100 %.",
            ),
            _BUSY,
            _panel("load", "Load and run queue", SYSTEM, "load_1min", "load_5min", "load_15min", "procs_running",
                   "procs_blocked", hint="Tasks. Compare with the number of CPUs."),
            _panel("psi", "Pressure", SYSTEM, "psi_cpu_some", "psi_memory_some", "psi_memory_full", "psi_io_some",
                   "psi_io_full", hint="Share of time in which tasks waited (pressure) or all of them did (stall)."),
            _panel("switches", "Context switches", SYSTEM, "context_switches"),
        ),
    ),
    Section(
        "memory",
        "Memory",
        SYSTEM,
        (
            _panel("memory", "Memory", SYSTEM, "mem_used_mb", "mem_cached_mb", "mem_buffers_mb", "mem_free_mb",
                   "mem_total_mb", hint="Used is what a new program could not get; cache can be given back."),
            _panel("swap", "Swap space", SYSTEM, "swap_used_mb", "swap_total_mb"),
            _panel("swapping", "Swapping", SYSTEM, "swap_in_mb", "swap_out_mb",
                   hint="Steady traffic here means that memory is short."),
        ),
    ),
    Section(
        "disk",
        "Disk",
        SYSTEM,
        (
            _panel("disk-throughput", "Disk throughput", SYSTEM, "disk_read_mb", "disk_write_mb", wide=True),
            _panel("disk-iops", "Disk operations", SYSTEM, "disk_read_iops", "disk_write_iops"),
            _panel("disk-await", "Disk await", SYSTEM, "disk_await_ms", hint="Mean time of an I/O, queueing included."),
            _panel("disk-util", "Disk utilisation", SYSTEM, "disk_io_util", maximum=100,
                   hint="Busiest disk. No proof of saturation on NVMe: see await and queue."),
            _panel("disk-queue", "Disk queue depth", SYSTEM, "disk_queue_depth", hint="I/Os in flight."),
        ),
    ),
    Section(
        "network",
        "Network",
        SYSTEM,
        (
            _panel("net-throughput", "Network throughput", SYSTEM, "net_rx_mb", "net_tx_mb"),
            _panel("net-packets", "Packets", SYSTEM, "net_rx_packets", "net_tx_packets"),
            _panel("net-errors", "Errors and drops", SYSTEM, "net_rx_errors", "net_tx_errors", "net_rx_drops",
                   "net_tx_drops"),
        ),
    ),
)  # fmt: skip

INSTANCE_SECTIONS = (
    Section(
        "disks",
        "Each disk",
        DISKS,
        (
            _panel("d-throughput", "Throughput", DISKS, "read_mb", "write_mb"),
            _panel("d-iops", "Operations", DISKS, "read_iops", "write_iops"),
            _panel("d-await", "Await", DISKS, "read_await_ms", "write_await_ms"),
            _panel("d-util", "Utilisation", DISKS, "util", maximum=100),
            _panel("d-queue", "Queue depth", DISKS, "queue_depth"),
        ),
        "No samples of single disks in this period.",
    ),
    Section(
        "interfaces",
        "Each interface",
        INTERFACES,
        (
            _panel("i-throughput", "Throughput", INTERFACES, "rx_mb", "tx_mb"),
            _panel("i-packets", "Packets", INTERFACES, "rx_packets", "tx_packets"),
            _panel("i-errors", "Errors and drops", INTERFACES, "rx_errors", "tx_errors", "rx_drops", "tx_drops"),
        ),
        "No samples of single interfaces in this period.",
    ),
    Section(
        "filesystems",
        "Each filesystem",
        FILESYSTEMS,
        (
            _panel(
                "f-percent",
                "Used",
                FILESYSTEMS,
                "used_percent",
                "inodes_used_percent",
                maximum=100,
                hint="As df says it: of what is not reserved for root.",
            ),
            _panel("f-space", "Space", FILESYSTEMS, "used_mb", "available_mb", "total_mb"),
        ),
        "No samples of filesystems in this period.",
    ),
)

SECTIONS = (*SYSTEM_SECTIONS, *INSTANCE_SECTIONS)


def metrics(dataset: Dataset) -> list[str]:
    """Every metric of a dataset that a chart draws."""
    drawn = (one.name for section in SECTIONS for panel in section.panels if panel.dataset is dataset
             for one in panel.series)  # fmt: skip
    return list(dict.fromkeys(drawn))
