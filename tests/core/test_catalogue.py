"""core.catalogue: complete, in order, and free of names that mean two things."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.catalogue import DATASETS, MAX_REAL, Dataset, Metric, groups

# DESIGN.md, section 3
COLUMNS = {
    "system": "cpu_user cpu_nice cpu_system cpu_irq cpu_iowait cpu_steal cpu_idle cpu_cores mem_total_mb mem_used_mb "
    "mem_free_mb mem_available_mb mem_cached_mb mem_buffers_mb swap_total_mb swap_used_mb swap_in_mb swap_out_mb "
    "disk_read_mb disk_write_mb disk_read_iops disk_write_iops disk_await_ms disk_queue_depth disk_io_util net_rx_mb "
    "net_tx_mb net_rx_packets net_tx_packets net_rx_errors net_tx_errors net_rx_drops net_tx_drops load_1min load_5min "
    "load_15min procs_running procs_blocked context_switches psi_cpu_some psi_memory_some psi_memory_full psi_io_some "
    "psi_io_full",
    "disks": "read_mb write_mb read_iops write_iops read_await_ms write_await_ms queue_depth util",
    "interfaces": "rx_mb tx_mb rx_packets tx_packets rx_errors tx_errors rx_drops tx_drops",
    "filesystems": "device fstype total_mb used_mb available_mb used_percent inodes_used_percent",
    "processes": "name user cpu rss_mb",
}
INSTANCES = {"system": None, "disks": "device", "interfaces": "interface", "filesystems": "mount", "processes": "pid"}
METRICS = [(dataset, metric) for dataset in DATASETS.values() for metric in dataset.metrics]
each_dataset = pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
each_metric = pytest.mark.parametrize(("dataset", "metric"), METRICS, ids=[f"{d.name}.{m.name}" for d, m in METRICS])


def test_every_dataset_of_the_design_has_its_metrics_in_order() -> None:
    assert {name: " ".join(dataset.metric_names) for name, dataset in DATASETS.items()} == COLUMNS


@each_dataset
def test_a_file_begins_with_the_key_of_its_dataset(dataset: Dataset) -> None:
    instance = INSTANCES[dataset.name]
    assert dataset.key == ("timestamp", "machine_id", *([instance] if instance else []))
    assert dataset.columns == dataset.key + dataset.metric_names


@each_dataset
def test_every_header_name_means_one_column(dataset: Dataset) -> None:
    aliases = [alias.name for metric in dataset.metrics for alias in metric.aliases]
    names = [*dataset.columns, "hostname", *aliases]
    assert len(names) == len(set(names))


def test_tables_have_names_of_their_own() -> None:
    assert DATASETS["system"].table == "analysis_data"
    assert {dataset.table for dataset in DATASETS.values()} == {
        "analysis_data", "analysis_disks", "analysis_interfaces", "analysis_filesystems", "analysis_processes",
    }  # fmt: skip


@each_metric
def test_a_metric_is_declared_with_known_words(dataset: Dataset, metric: Metric) -> None:
    assert metric.kind in {"gauge", "rate", "share", "label"}
    assert metric.dtype in {"real", "real[]", "text"}
    assert metric.aggregate in {"mean", "max", "last", "sum"}
    assert (metric.kind == "label") == (metric.dtype == "text")
    assert metric.unit in {"%", "MB", "MB/s", "1/s", "ms", ""}


@each_metric
def test_a_metric_has_a_sensible_range(dataset: Dataset, metric: Metric) -> None:
    assert 0 == metric.minimum < metric.maximum <= MAX_REAL < 3.4e38
    if metric.unit == "%" and (dataset.name, metric.name) != ("processes", "cpu"):
        assert metric.maximum == 100


@each_metric
def test_a_unit_in_a_name_is_the_unit_of_the_metric(dataset: Dataset, metric: Metric) -> None:
    ends = {"_mb": ("MB", "MB/s"), "_ms": ("ms",), "_percent": ("%",), "_iops": ("1/s",)}
    for end, units in ends.items():
        if metric.name.endswith(end):
            assert metric.unit in units
    assert (metric.kind == "rate") == metric.unit.endswith("/s")


@each_metric
def test_a_metric_says_what_it_is_and_where_it_comes_from(dataset: Dataset, metric: Metric) -> None:
    assert metric.title
    assert metric.group
    assert metric.source.startswith(("/proc", "statvfs", "used"))
    assert metric.sentence.endswith(".")


@each_metric
def test_an_alias_converts_by_what_its_name_says(dataset: Dataset, metric: Metric) -> None:
    for alias in metric.aliases:
        stem, factor = {"kb": (alias.name[:-3], 1 / 1024), "bytes": (alias.name[:-6], 1 / 1_048_576)}[
            alias.name.rsplit("_", 1)[1]
        ]
        assert metric.name == f"{stem}_mb"
        assert alias.factor == factor


def test_the_aliases_of_the_design_are_there() -> None:
    aliases = {alias.name for metric in DATASETS["system"].metrics for alias in metric.aliases}
    memory = {name[:-2] + "kb" for name in DATASETS["system"].metric_names if name.startswith(("mem_", "swap_"))}
    assert memory | {"disk_read_bytes", "disk_write_bytes", "net_rx_bytes", "net_tx_bytes"} == aliases


@each_dataset
def test_every_metric_is_in_one_group_for_display(dataset: Dataset) -> None:
    names = [name for members in groups(dataset).values() for name in members]
    assert names == list(dataset.metric_names)


def test_a_metric_is_found_by_its_name_and_an_unknown_one_is_not() -> None:
    assert DATASETS["disks"].metric("util").unit == "%"
    with pytest.raises(KeyError):
        DATASETS["disks"].metric("cpu_user")


def test_catalogue_and_batch_need_the_standard_library_only() -> None:
    """The agent ships them: nothing else may come along."""
    code = "import sys; import core.batch; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {*sys.stdlib_module_names, "__main__", "core"}
