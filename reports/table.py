"""An export as machines: all files together, small in memory, each machine unfolded when it is looked at."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import numpy as np
import polars as pl

from core.catalogue import DATASETS, Dataset
from reports import events, spool
from reports.events import Event
from reports.reading import ExportError, Parts, read_file, read_text, show
from reports.statistics import Times, Values

__all__ = ["Export", "ExportError", "Machine", "Machines", "Samples", "read", "show"]

Frames = dict[str, pl.DataFrame]
"""The rows of one machine by dataset."""


@dataclass(frozen=True)
class Samples:
    """Samples of one machine (and instance) in ascending time: ms since the epoch, and a column a metric."""

    times: Times
    columns: Mapping[str, Values]
    cores: Values | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """The newest of each text column."""

    def column(self, name: str) -> Values | None:
        """The metric's values, NaN where not measured; None when it was never measured."""
        return self.columns.get(name)


@dataclass(frozen=True)
class Machine:
    """All an export holds of one machine; `instances` is keyed by dataset, then by device, interface or mount."""

    name: str
    system: Samples
    instances: Mapping[str, Mapping[str, Samples]] = field(default_factory=dict)
    events: Sequence[Event] = ()
    period: tuple[int, int] | None = None
    """What was asked for (ms), where that is known."""


class Machines(Sequence[Machine]):
    """The machines of an export by name; each is unfolded into arrays anew when it is asked for."""

    def __init__(
        self, frames: Mapping[str, Frames], events: Mapping[str, Sequence[Event]], period: tuple[int, int] | None
    ) -> None:
        self._frames = frames
        self._events = events
        self._period = period
        self.names = sorted(frames)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, at: int) -> Machine: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Machine]: ...
    def __getitem__(self, at: int | slice) -> Machine | Sequence[Machine]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        frames = self._frames[self.names[at]]
        others = {name: _instances(frame, name) for name, frame in frames.items() if name != "system"}
        told = self._events.get(self.names[at], ())
        return Machine(show(self.names[at]), _samples(frames["system"]), others, told, self._period)

    def __iter__(self) -> Iterator[Machine]:
        return (self[at] for at in range(len(self)))


@dataclass(frozen=True)
class Export:
    """`sources`: name, size and SHA-256 of each file, from which every figure can be worked out again."""

    machines: Machines
    notes: tuple[str, ...]
    sources: tuple[tuple[str, str, str], ...] = ()


def read(paths: Sequence[Path], period: tuple[int, int] | None = None) -> Export:
    """Read all files as one export. Repeated samples count once (the first wins), and the notes say how many."""
    paths = spool.expand(paths)
    notes: list[str] = []
    told = [path for path in paths if not spool.is_batch(path) and events.are_in(path)]
    parts: dict[str, Parts] = {}
    for dataset, rows, said in _files([path for path in paths if path not in told]):
        machines = parts.setdefault(dataset.name, {})
        for name, frames in rows.items():
            machines.setdefault(name, []).extend(frames)
        notes += said
    if "system" not in parts:
        raise ExportError("None of the files is an export of the dataset system, which a report is built on.")
    merged = {name: _merge(name, machines, notes) for name, machines in parts.items()}
    machines_of = Machines(_by_machine(merged, notes), _events(told), period)
    return Export(machines_of, tuple(notes), tuple(_source(path) for path in paths))


def _files(paths: Sequence[Path]) -> Iterator[tuple[Dataset, Parts, list[str]]]:
    """The samples of every file; all batches of a spool at once."""
    yield from (read_file(path) for path in paths if not spool.is_batch(path))
    for data in spool.texts(path for path in paths if spool.is_batch(path)).values():
        yield read_text(data, "The spool")


def _events(paths: Sequence[Path]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for path in paths:
        for machine, told in events.read(path).items():
            found.setdefault(machine, []).extend(told)
    return found


def _source(path: Path) -> tuple[str, str, str]:
    return show(path.name), f"{path.stat().st_size:,}", _sha256(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _merge(dataset: str, machines: Parts, notes: list[str]) -> Frames:
    """One frame a machine, in time order, without repeated samples; empties the lists as it goes."""
    key = [name for name in DATASETS[dataset].key if name != "machine_id"]
    merged: Frames = {}
    repeated = 0
    for name, parts in machines.items():
        whole = parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal")
        parts.clear()
        if not _ascends(whole, len(key)):
            unique = whole.unique(subset=key, keep="first", maintain_order=True)
            repeated += whole.height - unique.height
            whole = unique.sort("timestamp", maintain_order=True)
        merged[name] = whole
    if repeated:
        notes.append(f"{repeated:,} repeated rows of the dataset {dataset} counted once.")
    return merged


def _ascends(frame: pl.DataFrame, keys: int) -> bool:
    """Each moment is later than the one before: in order, and nothing repeated."""
    return keys == 1 and bool((np.diff(frame["timestamp"].to_numpy()) > 0).all())


def _by_machine(merged: Mapping[str, Frames], notes: list[str]) -> dict[str, Frames]:
    """Every machine of the system export; rows of machines that it lacks are noted."""
    machines = {name: {"system": frame} for name, frame in merged["system"].items()}
    for dataset, frames in merged.items():
        strangers = set(frames) - set(machines)
        if strangers:
            notes.append(f"{len(strangers)} machines of the dataset {dataset} have no system rows and were left out.")
        for name in set(frames) - strangers:
            machines[name][dataset] = frames[name]
    return machines


def _instances(frame: pl.DataFrame, dataset: str) -> Mapping[str, Samples]:
    groups = frame.partition_by(DATASETS[dataset].instance or "", as_dict=True)
    return {show(str(key[0])): _samples(groups[key]) for key in sorted(groups, key=lambda key: str(key[0]))}


def _samples(frame: pl.DataFrame) -> Samples:
    numbers = {
        name: frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name, dtype in frame.schema.items()
        if dtype == pl.Float32 and frame[name].null_count() < frame.height
    }
    texts = [name for name, dtype in frame.schema.items() if dtype == pl.String and name != "cpu_cores"]
    labels = {name: show(str(last)) for name in texts if (last := frame[name].drop_nulls().last()) is not None}
    return Samples(frame["timestamp"].to_numpy(), numbers, _cores(frame), labels)


def _cores(frame: pl.DataFrame) -> Values | None:
    """Busy percent, a row a sample and a column a core; NaN where a core was not there."""
    if "cpu_cores" not in frame.columns or frame["cpu_cores"].null_count() == frame.height:
        return None
    lists = frame["cpu_cores"].str.split(";")
    width = int(np.asarray(lists.list.len().max() or 0))
    columns = [lists.list.get(at, null_on_oob=True).cast(pl.Float64, strict=False) for at in range(width)]
    return np.column_stack([column.fill_null(float("nan")).to_numpy() for column in columns])
