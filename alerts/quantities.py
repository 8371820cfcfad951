"""What a rule can watch: every number of the catalogue, and what is worked out from its columns.

A quantity's `sql` is over the columns of one raw sample, in braces, as `100 - {cpu_idle}`; over an hour of the roll-ups
the same formula takes the means, where it is one that means allow (`rolls_up`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.catalogue import DATASETS, Dataset, Metric

_COLUMN = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Quantity:
    """name: `dataset.what`, unique. kinds of rules: a threshold always, an anomaly where it rolls up."""

    name: str
    title: str
    unit: str
    dataset: Dataset
    sql: str
    sentence: str
    rolls_up: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(_COLUMN.findall(self.sql))

    def of_sample(self) -> str:
        """SQL over a row of the sample table."""
        return _COLUMN.sub(r'"\1"', self.sql)

    def of_hour(self) -> str:
        """SQL over a row of the roll-ups: of the hour's means."""
        return _COLUMN.sub(r'"\1_mean"', self.sql)


@dataclass(frozen=True)
class Store:
    """Something that fills: what is used of what there is, per sample and hour. name: for rules of kind forecast."""

    name: str
    title: str
    dataset: Dataset
    used: str
    total: str
    sentence: str
    unit: str = "days"

    def over_hour(self) -> tuple[str, str]:
        """SQL of what is used and of what there is, over a row of the roll-ups."""
        return _COLUMN.sub(r'"\1_mean"', self.used), _COLUMN.sub(r'"\1_mean"', self.total)


@dataclass(frozen=True)
class News:
    """What a rule of kind event waits for: machine events of these kinds (`agent.events`, `alerts.news`)."""

    name: str
    title: str
    kinds: tuple[str, ...]
    sentence: str


def _of_metric(dataset: Dataset, metric: Metric) -> Quantity:
    title = (
        metric.title if dataset.name == "system" else f"{dataset.title}: {metric.title[0].lower()}{metric.title[1:]}"
    )
    sql = "{" + metric.name + "}"
    return Quantity(f"{dataset.name}.{metric.name}", title, metric.unit, dataset, sql, metric.sentence)


_SYSTEM, _INTERFACES, _FILESYSTEMS = (DATASETS[name] for name in ("system", "interfaces", "filesystems"))

_DERIVED = (
    Quantity("system.cpu_busy_percent", "CPU busy", "%", _SYSTEM, "100 - {cpu_idle} - {cpu_iowait}",
             "Share of all CPUs' time that was not idle, waiting for I/O counted as idle."),
    Quantity("system.busiest_core_percent", "Busiest core", "%", _SYSTEM,
             "(SELECT max(core) FROM unnest({cpu_cores}) core)",
             "The busiest core of each sample: one thread at its limit while the machine looks idle.", rolls_up=False),
    Quantity("system.load_per_core", "Load per core", "", _SYSTEM,
             "{load_5min} / nullif(cardinality({cpu_cores}), 0)", "Load of five minutes a core.", rolls_up=False),
    Quantity("system.mem_used_percent", "Memory used", "%", _SYSTEM, "100 * {mem_used_mb} / nullif({mem_total_mb}, 0)",
             "Memory that a new program could not get, of what the kernel can use."),
    Quantity("system.swap_used_percent", "Swap used", "%", _SYSTEM, "100 * {swap_used_mb} / nullif({swap_total_mb}, 0)",
             "Swap space in use, of what is configured."),
    Quantity("interfaces.errors", "Interfaces: errors", "1/s", _INTERFACES, "{rx_errors} + {tx_errors}",
             "Receive and transmit errors."),
    Quantity("interfaces.drops", "Interfaces: drops", "1/s", _INTERFACES, "{rx_drops} + {tx_drops}",
             "Received and outgoing packets dropped."),
)  # fmt: skip

STORES: Mapping[str, Store] = {
    store.name: store
    for store in (
        Store("filesystems.days_until_full", "Filesystem full in", _FILESYSTEMS, "{used_mb}",
              "{used_mb} + {available_mb}", "Days until the filesystem is full, as it has been growing."),
        Store("system.days_until_memory_full", "Memory full in", _SYSTEM, "{mem_used_mb}", "{mem_total_mb}",
              "Days until the memory in use is all there is, as it has been growing."),
    )
}  # fmt: skip

EVENTS: Mapping[str, News] = {
    news.name: news
    for news in (
        News("reboot", "Rebooted", ("rebooted",), "The machine was started again."),
        News("clock_set", "Clock set", ("clock_set",), "The clock of the machine was set by more than two seconds."),
        News("clock_wrong", "Clock is wrong", ("clock_ahead", "clock_behind"),
             "Samples are stamped minutes ahead of their arrival, or half an hour and more behind it all the time."),
        News("agent_version", "Other agent version", ("agent_changed",), "The agent was upgraded or set back."),
        News("kernel", "Other kernel", ("kernel_changed",), "The machine runs another kernel."),
        News("data_lost", "Samples lost", ("samples_dropped", "samples_refused"),
             "The agent's spool was full, or the portal refused samples: these are gone."),
    )
}  # fmt: skip

QUANTITIES: Mapping[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        *_DERIVED,
        *(_of_metric(dataset, m) for dataset in DATASETS.values() for m in dataset.metrics if m.is_number),
    )
}


def unknown_columns() -> list[str]:
    """Columns that a formula names and the catalogue has not; none, or the start of the portal must fail."""
    formulas = [(q.dataset, q.columns) for q in QUANTITIES.values()]
    formulas += [(s.dataset, tuple(_COLUMN.findall(s.used + s.total))) for s in STORES.values()]
    return [
        f"{dataset.name}.{name}" for dataset, names in formulas for name in names if name not in dataset.metric_names
    ]
