"""Constructed machines: a healthy one from a fixed seed, and the same with a known ailment each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.catalogue import FILESYSTEMS, SYSTEM
from reports.table import Machine

START = 1_767_571_200
"""2026-01-05 00:00 UTC, a Monday, in Unix seconds."""
CORES = 4

Column = np.ndarray[Any, Any]
Columns = dict[str, Column]
WriteExport = Callable[..., Path]
ReadOne = Callable[..., Machine]


def healthy(seed: int = 1, days: float = 7, interval: int = 60) -> Columns:
    """A server with a daily rhythm, some noise and room everywhere; `timestamp` in Unix seconds, `cpu_cores` 2-d."""
    dice = np.random.default_rng(seed)
    count = int(days * 86_400 / interval)
    seconds = START + np.arange(count) * interval
    hour = (seconds % 86_400) / 3600
    rhythm = 0.35 + 0.65 * np.clip(np.sin((hour - 6) / 24 * 2 * np.pi), 0, None)

    def noise(scale: float) -> Column:
        return dice.gamma(4, scale / 4, count)

    busy = np.clip(rhythm * (30 + dice.normal(0, 4, count)) + noise(3), 1, 90)
    columns: Columns = {"timestamp": seconds}
    columns |= {"cpu_user": busy * 0.7, "cpu_nice": busy * 0.01, "cpu_system": busy * 0.25, "cpu_irq": busy * 0.04}
    columns |= {"cpu_iowait": np.minimum(noise(0.6), 5), "cpu_steal": np.minimum(noise(0.05), 1)}
    columns["cpu_idle"] = 100 - busy - columns["cpu_iowait"] - columns["cpu_steal"]
    columns["cpu_cores"] = np.clip(busy[:, None] + dice.normal(0, 6, (count, CORES)), 0, 100)
    used = 6000 + 1500 * rhythm + dice.normal(0, 60, count)
    cached = 5200 + dice.normal(0, 50, count)
    columns |= {"mem_total_mb": np.full(count, 16_000.0), "mem_used_mb": used, "mem_available_mb": 16_000 - used}
    columns |= {"mem_free_mb": 16_000 - used - cached - 300, "mem_cached_mb": cached}
    columns |= {"mem_buffers_mb": np.full(count, 300.0), "swap_total_mb": np.full(count, 2048.0)}
    columns |= {"swap_used_mb": np.full(count, 12.0), "swap_in_mb": np.zeros(count), "swap_out_mb": np.zeros(count)}
    reads, writes = rhythm * noise(60), rhythm * noise(140)
    columns |= {"disk_read_iops": reads, "disk_write_iops": writes}
    columns |= {"disk_read_mb": reads * 0.03, "disk_write_mb": writes * 0.02}
    columns |= {"disk_await_ms": 0.6 + noise(0.8), "disk_queue_depth": (reads + writes) / 1000}
    columns["disk_io_util"] = np.clip((reads + writes) / 8, 0, 100)
    for way, level in (("rx", 6.0), ("tx", 2.5)):
        traffic = rhythm * noise(level)
        columns |= {f"net_{way}_mb": traffic, f"net_{way}_packets": traffic * 900}
        columns |= {f"net_{way}_errors": np.zeros(count), f"net_{way}_drops": np.zeros(count)}
    load = busy / 100 * CORES
    columns |= {"load_1min": load + noise(0.1), "load_5min": load, "load_15min": load}
    columns |= {"procs_running": np.round(1 + load), "procs_blocked": np.round(noise(0.1))}
    columns |= {"context_switches": 4000 * rhythm + noise(300)}
    columns |= {"psi_cpu_some": np.minimum(noise(1.5), 20), "psi_memory_some": np.zeros(count)}
    columns |= {"psi_memory_full": np.zeros(count), "psi_io_some": np.minimum(noise(0.8), 9)}
    columns["psi_io_full"] = columns["psi_io_some"] / 2
    return columns


def hours(columns: Columns, first: int, last: int) -> Column:
    """Mask of the samples between two hours of the day."""
    hour = columns["timestamp"] % 86_400 // 3600
    return (hour >= first) & (hour < last)


def gap(columns: Columns, first: int, last: int) -> Columns:
    """The same without the samples of positions first to last."""
    keep = np.ones(len(columns["timestamp"]), dtype=bool)
    keep[first:last] = False
    return {name: values[keep] for name, values in columns.items()}


def filesystem(used_mb: Column, total_mb: float = 100_000, mount: str = "/srv", interval: int = 300) -> str:
    """An export of the dataset filesystems: one mount of web-01, a row an interval."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FILESYSTEMS.columns)
    moments = np.datetime_as_string((START + np.arange(used_mb.size) * interval).astype("datetime64[s]"))
    for moment, used in zip(moments.tolist(), used_mb.tolist(), strict=True):
        share = used / total_mb * 100
        numbers = (total_mb, used, total_mb - used, share, 3)
        writer.writerow([f"{moment}Z", "web-01", mount, "/dev/sdb1", "ext4", *(f"{value:.7g}" for value in numbers)])
    return text.getvalue()


def to_csv(machines: Mapping[str, Columns], leave_out: tuple[str, ...] = ()) -> str:
    """An export of the dataset system, as the portal writes it; NaN is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [name for name in SYSTEM.columns if name not in leave_out]
    writer.writerow(names)
    for machine, columns in machines.items():
        writer.writerows(zip(*(_cells(name, machine, columns) for name in names), strict=True))
    return text.getvalue()


def _cells(name: str, machine: str, columns: Columns) -> list[str]:
    seconds = columns["timestamp"]
    if name == "timestamp":
        return [f"{moment}Z" for moment in np.datetime_as_string(seconds.astype("datetime64[s]"))]
    if name == "machine_id":
        return [machine] * len(seconds)
    values = columns.get(name)
    if values is None:
        return [""] * len(seconds)
    if values.ndim == 2:
        return [";".join(f"{value:.4g}" for value in row) for row in values]
    return ["" if value != value else f"{value:.7g}" for value in values]
