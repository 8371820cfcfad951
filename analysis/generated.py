"""Generated samples of twenty machines, for the sample partner that the demo labels as generated.

A sample is a function of machine and instant alone, so batches of any length join without a seam, and a range that is
generated again gives the same rows. `origin` is the instant from which slow trends (a disk that wears out, a filesystem
that fills) count.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from analysis import generated_measures as measures
from analysis import generated_processes
from analysis import generated_signals as signals
from analysis.generated_fleet import MACHINES, Machine
from analysis.generated_signals import DAY, HOUR, Instants
from analysis.store import Rows
from core.catalogue import DATASETS, Dataset

__all__ = ["INTERVAL", "MACHINES", "Machine", "frames", "rows"]

INTERVAL = timedelta(seconds=60)
FILESYSTEM_SECONDS = 300
_LOOK_BACK = timedelta(hours=1)
"""The load averages look back an hour."""


def rows(machine: Machine, collector_id: int, start: datetime, end: datetime, origin: datetime) -> list[Rows]:
    """Samples of start ≤ instant < end as COPY text, datasets that have any."""
    made = frames(machine, start, end, origin)
    return [_copy_text(DATASETS[name], frame, collector_id) for name, frame in made.items() if frame.height]


def frames(machine: Machine, start: datetime, end: datetime, origin: datetime) -> dict[str, pl.DataFrame]:
    """Dataset name → its samples, `timestamp` in seconds since 1970; a value that is not measured is null."""
    at = _instants(start - _LOOK_BACK, end)
    demand = measures.demand(machine, at)
    disks = {disk.name: measures.disk(machine, disk, at, demand, origin) for disk in machine.disks}
    interfaces = {card.name: measures.interface(machine, card, at, demand) for card in machine.interfaces}
    filesystems = {mount.path: measures.filesystem(machine, mount, at, origin) for mount in machine.mounts}
    system = measures.system(machine, at, demand, disks, interfaces)
    processes = generated_processes.processes(machine, at, measures.busy(system), system["mem_used_mb"])
    made = {
        "system": pl.DataFrame({"timestamp": at, **system}),
        "disks": _stack("device", at, disks),
        "interfaces": _stack("interface", at, interfaces),
        "filesystems": _stack("mount", at, filesystems).filter(pl.col("timestamp") % FILESYSTEM_SECONDS == 0),
        "processes": _stack("pid", at, processes).filter(pl.col("timestamp") % generated_processes.SECONDS == 0),
    }
    kept = at[(at >= start.timestamp()) & ~_outage(machine, at)]
    return {name: _only(DATASETS[name], frame, kept) for name, frame in made.items()}


def _instants(start: datetime, end: datetime) -> Instants:
    """Every full interval of start ≤ instant < end."""
    step = int(INTERVAL.total_seconds())
    first, last = (int(-(-moment.timestamp() // step)) * step for moment in (start, end))
    return np.arange(first, last, step, dtype=np.int64)


def _outage(machine: Machine, at: Instants) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """True while the machine sends nothing: some hours of one night in so many."""
    if not machine.outage_every_days:
        return np.zeros(at.shape, dtype=np.bool_)
    seed = signals.seed_of(machine.machine_id, "outage")
    night, elapsed = np.divmod(at, DAY)
    begins = (1 + 2 * signals.uniform(seed, night)) * HOUR
    lasts = (2.5 + 3 * signals.uniform(seed + 1, night)) * HOUR
    hit = night % machine.outage_every_days == 0
    return np.asarray(hit & (elapsed >= begins) & (elapsed < begins + lasts))


def _stack(instance: str, at: Instants, parts: Mapping[Any, Mapping[str, object]]) -> pl.DataFrame:
    return pl.concat([pl.DataFrame({"timestamp": at, instance: name, **part}) for name, part in parts.items()])


def _only(dataset: Dataset, frame: pl.DataFrame, instants: Instants) -> pl.DataFrame:
    """The samples of those instants, columns in the catalogue's order."""
    names = [name for name in dataset.columns if name != "machine_id"]
    return frame.filter(pl.col("timestamp").is_in(pl.Series(instants).implode())).select(names).fill_nan(None)


def _copy_text(dataset: Dataset, frame: pl.DataFrame, collector_id: int) -> Rows:
    arrays = [metric.name for metric in dataset.metrics if metric.dtype == "real[]"]
    text = frame.select(
        pl.lit(collector_id).alias("collector_id"),
        pl.from_epoch("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S+00"),
        pl.exclude("timestamp", *arrays),
        *(pl.concat_str(pl.lit("{"), pl.col(name).cast(pl.List(pl.String)).list.join(","), pl.lit("}")).alias(name)
          for name in arrays),
    )  # fmt: skip
    body = text.write_csv(include_header=False, separator="\t", null_value=r"\N", quote_style="never").encode()
    instants = frame["timestamp"].to_numpy()
    first, last = (datetime.fromtimestamp(int(moment), UTC) for moment in (instants.min(), instants.max()))
    return Rows(dataset, text.columns, body, frame.height, first, last)
