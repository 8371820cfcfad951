"""One export file into frames: CSV in blocks of some megabytes, or Parquet in slices, so that a large file stays small.

Polars reads the plain case at speed; whatever is not plain goes through `core.batch.decode`, which either reads it or
says exactly which line and column is wrong. Values are 4-byte floats, as the portal stores them.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import polars as pl

from core.batch import BatchError, decode
from core.catalogue import DATASETS, SYSTEM, Dataset

CHOICES = ("system", "disks", "interfaces", "filesystems")
BLOCK = 4_000_000
ROWS = 100_000
_PERCENTAGE = r"(?:100(?:\.0*)?|\d{1,2}(?:\.\d*)?)"
_PERCENTAGES = rf"^{_PERCENTAGE}(?:;{_PERCENTAGE})*$"
_HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_CONTROLS = r"[\x00-\x1f\x7f\u0085\u2028\u2029]|^'"


Parts = dict[str, list[pl.DataFrame]]
"""The rows of each machine, in the order they were read."""


class ExportError(Exception):
    """An export that cannot be read; the text is one sentence that names file and line."""


def read_file(path: Path) -> tuple[Dataset, Parts, list[str]]:
    """Dataset, rows of each machine, and remarks of one file; raises ExportError."""
    shown = show(path.name)
    try:
        with path.open("rb") as file:
            start = file.read(1 << 16)
    except OSError as error:
        raise ExportError(f"{shown} cannot be read: {error.strerror}.") from None
    is_parquet = start.startswith(b"PAR1")
    header = _parquet_names(path, shown) if is_parquet else _header(start)
    dataset = recognise(header)
    machine = show(path.stem) or "machine"
    if is_parquet:
        parts = _parquet(path, dataset, shown, machine)
    else:
        parts = _csv(lambda: path.open("rb"), dataset, header, shown, machine)
    return dataset, parts, _unknown(dataset, header, shown)


def read_text(data: bytes, shown: str) -> tuple[Dataset, Parts, list[str]]:
    """The same of CSV text that is in memory."""
    header = _header(data[: 1 << 16])
    dataset = recognise(header)
    parts = _csv(lambda: io.BytesIO(data), dataset, header, shown, "machine")
    return dataset, parts, _unknown(dataset, header, shown)


def recognise(header: Sequence[str]) -> Dataset:
    """The dataset that a file's header fits best: its instance column decides, `system` has none."""
    names = set(header)
    for choice in CHOICES[1:]:
        dataset = DATASETS[choice]
        if dataset.instance in names and names & set(dataset.metric_names):
            return dataset
    return SYSTEM


def show(text: str) -> str:
    """A name as it may be shown: control, invisible and direction-changing characters become visible escapes."""
    return _HIDDEN.sub(lambda hit: f"\\u{ord(hit.group()):04x}", text)


def _header(start: bytes) -> list[str]:
    line = start.split(b"\n", 1)[0].decode("utf-8-sig", "replace")
    return [cell.strip().strip('"').lower() for cell in line.split(",")]


def _unknown(dataset: Dataset, header: Sequence[str], shown: str) -> list[str]:
    aliases = {alias.name for metric in dataset.metrics for alias in metric.aliases} | {"hostname"}
    unknown = [name for name in header if name not in dataset.columns and name not in aliases]
    return [f"{shown}: column {show(name[:60])} is unknown and was left out." for name in unknown[:5]]


def _csv(opened: Callable[[], BinaryIO], dataset: Dataset, header: Sequence[str], shown: str, machine: str) -> Parts:
    """The plain way; at the first block that is not plain, the whole file anew the careful way."""
    if _is_plain_header(dataset, header):
        parts: Parts = {}
        frames = (_read_plain(dataset, header, block) for block in _blocks(opened))
        if all(_sort_out(frame, parts, machine) for frame in frames) and parts:
            return parts
    try:
        with opened() as file:
            frame = _read_carefully(dataset, file.read())
    except BatchError as error:
        raise ExportError(f"{shown} is not an export: {show(error.sentence)}") from None
    parts = {}
    _sort_out(frame, parts, machine)
    return parts


def _sort_out(frame: pl.DataFrame | None, parts: Parts, machine: str) -> bool:
    """Add the rows to those of their machines; without a column `machine_id` they are of `machine`. False for None."""
    if frame is None:
        return False
    if "machine_id" not in frame.columns:
        parts.setdefault(machine, []).append(frame)
        return True
    for key, rows in frame.partition_by("machine_id", as_dict=True, include_key=False).items():
        parts.setdefault(str(key[0]), []).append(rows)
    return True


def _is_plain_header(dataset: Dataset, header: Sequence[str]) -> bool:
    names = set(header)
    return (
        names <= set(dataset.columns)
        and len(names) == len(header)
        and "timestamp" in names
        and bool(names & set(dataset.metric_names))
    )


def _blocks(opened: Callable[[], BinaryIO]) -> Iterator[bytes]:
    """The file's lines after the header, in blocks that end with a line."""
    with opened() as file:
        file.readline()
        rest = b""
        while chunk := file.read(BLOCK):
            lines, newline, rest_of_chunk = chunk.rpartition(b"\n")
            if newline:
                yield rest + lines + newline
                rest = rest_of_chunk
            else:
                rest += chunk
        if rest:
            yield rest


def _read_plain(dataset: Dataset, header: Sequence[str], block: bytes) -> pl.DataFrame | None:
    """The rows when every cell is of the plain form that an export has; None sends the file the careful way."""
    if not block.endswith(b"\n") or re.search(rb'["\r\0]', block):
        return None
    types = {name: _read_as(dataset, name) for name in header}
    try:
        text = pl.read_csv(io.BytesIO(block), has_header=False, new_columns=list(header), schema_overrides=types)
        frame = text.with_columns(_moment())
    except (pl.exceptions.PolarsError, ValueError):
        return None
    whole = block.count(b",") == frame.height * (len(header) - 1)
    return frame if whole and frame.height and not _is_odd(dataset, frame) else None


def _moment() -> pl.Expr:
    return pl.col("timestamp").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ms").cast(pl.Int64)


def _read_as(dataset: Dataset, name: str) -> type[pl.DataType]:
    return pl.Float32 if name not in dataset.key and dataset.metric(name).is_number else pl.String


def _is_odd(dataset: Dataset, frame: pl.DataFrame) -> bool:
    """A cell is missing where it must not be, out of range, not finite, or holds a control character or a quote."""
    checks: list[pl.Expr] = []
    for name in frame.columns:
        column = pl.col(name)
        if name in dataset.key:
            checks.append(column.null_count() > 0)
            if name != "timestamp":
                checks.append(column.cast(pl.String).str.contains(_CONTROLS).any())
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
            series.append(pl.Series(name, values, dtype=pl.Float32))
        else:
            series.append(pl.Series(name, [_join(cell) for cell in values], dtype=pl.String))
    return pl.DataFrame(series)


def _join(cell: Iterable[float] | None) -> str | None:
    return None if cell is None else ";".join(repr(number) for number in cell)


def _parquet_names(path: Path, shown: str) -> list[str]:
    try:
        return pl.scan_parquet(path).collect_schema().names()
    except (pl.exceptions.PolarsError, OSError):
        raise ExportError(f"{shown} cannot be read: it is no whole Parquet file.") from None


def _parquet(path: Path, dataset: Dataset, shown: str, machine: str) -> Parts:
    scan = pl.scan_parquet(path)
    known = [name for name in scan.collect_schema().names() if name in dataset.columns]
    if not {"timestamp", *(name for name in [dataset.instance] if name)} <= set(known):
        raise ExportError(f"{shown} is not an export: it has no column timestamp.")
    if not set(known) & set(dataset.metric_names):
        raise ExportError(f"{shown} is not an export: it has no metric.")
    parts: Parts = {}
    for start in range(0, scan.select(pl.len()).collect().item(), ROWS):
        try:
            frame = _plain_types(dataset, scan.select(known).slice(start, ROWS).collect())
        except pl.exceptions.PolarsError:
            raise ExportError(f"{shown} is not an export: a column has the wrong type.") from None
        if _is_odd(dataset, frame):
            raise ExportError(f"{shown} is not an export: a value after row {start:,} is missing or out of range.")
        _sort_out(frame, parts, machine)
    if not parts:
        raise ExportError(f"{shown} is not an export: it has no rows.")
    return parts


def _plain_types(dataset: Dataset, frame: pl.DataFrame) -> pl.DataFrame:
    """Timestamps as ms, numbers as 4-byte floats, lists as text: as a CSV file is read."""
    columns = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if name == "timestamp":
            columns.append(_moment() if dtype == pl.String else column.cast(pl.Datetime("ms")).cast(pl.Int64))
        elif isinstance(dtype, pl.List):
            columns.append(column.cast(pl.List(pl.Float32)).cast(pl.List(pl.String)).list.join(";").alias(name))
        else:
            columns.append(column.cast(_read_as(dataset, name)))
    return frame.select(columns)
