"""Reads exports: CSV files of the portal, any mix of datasets, into one table a machine.

Polars reads the plain case at speed; whatever is not plain goes through `core.batch.decode`, which either reads it or
says exactly which line and column is wrong.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from core.batch import BatchError, decode
from core.catalogue import DATASETS, SYSTEM, Dataset
from reports.statistics import Times, Values

CHOICES = ("system", "disks", "interfaces", "filesystems")
_PERCENTAGE = r"(?:100(?:\.0*)?|\d{1,2}(?:\.\d*)?)"
_PERCENTAGES = rf"^{_PERCENTAGE}(?:;{_PERCENTAGE})*$"
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")


class ExportError(Exception):
    """An export that cannot be read; the text is one sentence that names file and line."""


@dataclass(frozen=True)
class Samples:
    """Samples of one machine (and instance) in ascending time: ms since the epoch, and a column a metric."""

    times: Times
    columns: Mapping[str, Values]
    cores: Values | None = None

    def column(self, name: str) -> Values | None:
        """The metric's values, NaN where not measured; None when it was never measured."""
        return self.columns.get(name)


@dataclass(frozen=True)
class Machine:
    """All an export holds of one machine; `instances` is keyed by dataset, then by device, interface or mount."""

    name: str
    system: Samples
    instances: Mapping[str, Mapping[str, Samples]] = field(default_factory=dict)


@dataclass(frozen=True)
class Export:
    machines: tuple[Machine, ...]
    notes: tuple[str, ...]


def read(paths: Sequence[Path]) -> Export:
    """Read all files as one export. Repeated samples count once (the first wins), and the notes say how many."""
    notes: list[str] = []
    frames: dict[str, list[pl.DataFrame]] = {}
    for path in paths:
        dataset, frame, said = read_file(path)
        frames.setdefault(dataset.name, []).append(frame)
        notes += said
    if "system" not in frames:
        raise ExportError("None of the files is an export of the dataset system, which a report is built on.")
    tables = {name: _merge(DATASETS[name], parts, notes) for name, parts in frames.items()}
    return Export(tuple(_machines(tables, notes)), tuple(notes))


def read_file(path: Path) -> tuple[Dataset, pl.DataFrame, list[str]]:
    """Dataset, rows and remarks of one file; raises ExportError."""
    shown = show(path.name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExportError(f"{shown} cannot be read: {error.strerror}.") from None
    try:
        dataset = recognise(data)
        frame = _read_plain(dataset, data)
        if frame is None:
            frame = _read_carefully(dataset, data)
    except BatchError as error:
        raise ExportError(f"{shown} is not an export: {show(error.sentence)}") from None
    if "machine_id" not in frame.columns:
        frame = frame.with_columns(pl.lit(show(path.stem) or "machine").alias("machine_id"))
    return dataset, frame, _unknown(dataset, data, shown)


def recognise(data: bytes) -> Dataset:
    """The dataset that a file's header fits best: its instance column decides, `system` has none."""
    names = set(_header(data))
    for choice in CHOICES[1:]:
        dataset = DATASETS[choice]
        if dataset.instance in names and names & set(dataset.metric_names):
            return dataset
    return SYSTEM


def show(text: str) -> str:
    """A name as it may be shown: control, invisible and direction-changing characters become visible escapes."""
    return _HIDDEN.sub(lambda hit: f"\\u{ord(hit.group()):04x}", text)


def _header(data: bytes) -> list[str]:
    line = data.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    return [cell.strip().strip('"').lower() for cell in line.split(",")]


def _unknown(dataset: Dataset, data: bytes, shown: str) -> list[str]:
    aliases = {alias.name for metric in dataset.metrics for alias in metric.aliases} | {"hostname"}
    unknown = [name for name in _header(data) if name not in dataset.columns and name not in aliases]
    return [f"{shown}: column {show(name[:60])} is unknown and was left out." for name in unknown[:5]]


def _read_plain(dataset: Dataset, data: bytes) -> pl.DataFrame | None:
    """The rows when every cell is of the plain form that an export has; None sends the file the careful way."""
    header = _header(data)
    if not set(header) <= set(dataset.columns) or len(set(header)) < len(header) or "timestamp" not in header:
        return None
    if not set(header) & set(dataset.metric_names) or (dataset.instance or "timestamp") not in header:
        return None
    if not data.endswith(b"\n") or re.search(rb'["\r\0]', data):
        return None
    try:
        text = pl.read_csv(io.BytesIO(data), infer_schema=False)
        frame = text.rename(dict(zip(text.columns, header, strict=True))).select(
            [_cast(dataset, name) for name in header]
        )
    except (pl.exceptions.PolarsError, ValueError):
        return None
    whole = data.count(b",") == (frame.height + 1) * (len(header) - 1)
    return frame if whole and frame.height and not _is_odd(dataset, frame) else None


def _cast(dataset: Dataset, name: str) -> pl.Expr:
    column = pl.col(name)
    if name == "timestamp":
        return column.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ms").cast(pl.Int64)
    if name in dataset.key:
        return column
    return column.cast(pl.Float64) if dataset.metric(name).is_number else column


def _is_odd(dataset: Dataset, frame: pl.DataFrame) -> bool:
    """A cell is missing where it must not be, out of range, not finite, or holds a control character or a quote."""
    checks: list[pl.Expr] = []
    for name in frame.columns:
        column = pl.col(name)
        if name in dataset.key:
            checks.append(column.null_count() > 0)
            if name != "timestamp":
                checks.append(column.cast(pl.String).str.contains(r"[\x00-\x1f\x7f\u0085\u2028\u2029]|^'").any())
        elif dataset.metric(name).is_number:
            metric = dataset.metric(name)
            checks.append(~column.is_between(metric.minimum, metric.maximum).all())
        elif dataset.metric(name).dtype == "real[]":
            checks.append(~column.str.contains(_PERCENTAGES).all())
    flags = frame.select(check.alias(str(number)) for number, check in enumerate(checks)).row(0)
    return any(flags)


def _read_carefully(dataset: Dataset, data: bytes) -> pl.DataFrame:
    columns = dict(decode(dataset, data).table.columns)
    epoch = pl.Series("timestamp", columns.pop("timestamp"), dtype=pl.Datetime("ms", "UTC")).cast(pl.Int64)
    series = [epoch]
    for name, values in columns.items():
        if name in dataset.key or dataset.metric(name).dtype == "text":
            series.append(pl.Series(name, values, dtype=pl.String, strict=False))
        elif dataset.metric(name).is_number:
            series.append(pl.Series(name, values, dtype=pl.Float64))
        else:
            series.append(pl.Series(name, [_join(cell) for cell in values], dtype=pl.String))
    return pl.DataFrame(series)


def _join(cell: Iterable[float] | None) -> str | None:
    return None if cell is None else ";".join(repr(number) for number in cell)


def _merge(dataset: Dataset, parts: list[pl.DataFrame], notes: list[str]) -> pl.DataFrame:
    whole = pl.concat(parts, how="diagonal")
    unique = whole.unique(subset=list(dataset.key), keep="first", maintain_order=True)
    if unique.height < whole.height:
        notes.append(f"{whole.height - unique.height:,} repeated rows of the dataset {dataset.name} counted once.")
    return unique.sort(["machine_id", "timestamp"])


def _machines(tables: Mapping[str, pl.DataFrame], notes: list[str]) -> list[Machine]:
    """Every machine of the system export, by name; rows of machines that it lacks are noted."""
    system = {key[0]: frame for key, frame in tables["system"].partition_by("machine_id", as_dict=True).items()}
    others = [name for name in tables if name != "system"]
    for name in others:
        strangers = set(tables[name]["machine_id"].unique()) - set(system)
        if strangers:
            notes.append(f"{len(strangers)} machines of the dataset {name} have no system rows and were left out.")
    return [
        Machine(show(str(key)), _samples(frame), {name: _instances(tables[name], name, str(key)) for name in others})
        for key, frame in sorted(system.items(), key=lambda item: str(item[0]))
    ]


def _instances(table: pl.DataFrame, name: str, machine: str) -> Mapping[str, Samples]:
    instance = DATASETS[name].instance or ""
    rows = table.filter(pl.col("machine_id") == machine)
    groups = rows.partition_by(instance, as_dict=True)
    return {show(str(key[0])): _samples(groups[key]) for key in sorted(groups, key=lambda key: str(key[0]))}


def _samples(frame: pl.DataFrame) -> Samples:
    numbers = {
        name: frame[name].fill_null(float("nan")).to_numpy()
        for name, dtype in frame.schema.items()
        if dtype == pl.Float64 and frame[name].null_count() < frame.height
    }
    return Samples(frame["timestamp"].to_numpy(), numbers, _cores(frame))


def _cores(frame: pl.DataFrame) -> Values | None:
    """Busy percent, a row a sample and a column a core; NaN where a core was not there."""
    if "cpu_cores" not in frame.columns or frame["cpu_cores"].null_count() == frame.height:
        return None
    lists = frame["cpu_cores"].str.split(";")
    width = int(np.asarray(lists.list.len().max() or 0))
    columns = [lists.list.get(at, null_on_oob=True).cast(pl.Float64, strict=False) for at in range(width)]
    return np.column_stack([column.fill_null(float("nan")).to_numpy() for column in columns])
