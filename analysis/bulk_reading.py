"""A large CSV file of many machines, read a piece at a time into typed columns.

A piece of plain cells is read and checked column-wise. Whatever is not plain, or looks wrong, is read by
`core.batch.decode`, which has the rules and the error texts: the fast way only ever takes what that one takes too.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import numpy as np
import polars as pl

from analysis import bulk_copying, store
from core.batch import MAX_TEXT_BYTES, SMALLEST, BatchError, Column, Window, decode, resolve_header
from core.catalogue import Dataset

PIECE_BYTES = 4 << 20
LONGEST_LINE = 8 << 20
_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$"
_NUMBER_LIST = r"^\d{1,15}(?:\.\d{0,19})?(?:;\d{1,15}(?:\.\d{0,19})?)*$"
_LONG_EXPONENT = re.compile(rb"[eE]-\d{3}")
UTC_MICROSECONDS = pl.Datetime("us", "UTC")
_NOT_PLAIN_TEXT = r"^'|[\x00-\x1f\x7f\x{85}\x{2028}\x{2029}]"


@dataclass(frozen=True)
class Piece:
    """Whole lines of the file after its header; lines_before counts those between the header and this piece."""

    data: bytes
    lines_before: int


@dataclass(frozen=True)
class Machine:
    """What a piece has of one machine: rows, and the time of the newest."""

    rows: int
    newest: datetime


@dataclass(frozen=True)
class Read:
    """A piece in columns: `machine_id` and other text, `timestamp` as UTC, numbers as floats, lists as `{1,2}`."""

    dataset: Dataset
    frame: pl.DataFrame
    machines: Mapping[str, Machine]
    first: datetime
    last: datetime

    def rows(self, collectors: Mapping[str, int]) -> store.Rows:
        """Ready for COPY; every machine must be among `collectors`, machine id to collector id."""
        ids = {machine_id: collectors[machine_id] for machine_id in self.machines}
        collector = pl.col("machine_id").replace_strict(ids, return_dtype=pl.Int64).alias("collector_id")
        frame = self.frame.select(collector, pl.exclude("machine_id")).sort(
            "collector_id", "timestamp", maintain_order=True
        )
        form, body = bulk_copying.encode(frame)
        return store.Rows(self.dataset, frame.columns, body, frame.height, self.first, self.last, form)


def digest(dataset: Dataset, file: IO[bytes]) -> str:
    """As `store.digest` of the whole file, in flat memory."""
    total = hashlib.sha256(f"{dataset.name}:{file.seek(0, io.SEEK_END)}:".encode())
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        total.update(piece)
    return total.hexdigest()


def _list_text(values: Sequence[float] | None) -> str | None:
    """A list as PostgreSQL writes arrays."""
    return None if values is None else "{" + ",".join(map(repr, values)) + "}"


class Reader:
    """Reads a file from its beginning; BatchError when its header or a piece is refused."""

    def __init__(self, dataset: Dataset, file: IO[bytes], window: Window) -> None:
        file.seek(0)
        self.dataset, self.window, self._file = dataset, window, file
        self._header = _header(file)
        cells = next(csv.reader([self._header.decode("utf-8-sig", "replace").rstrip("\r\n")]))
        self._columns, self.warnings = resolve_header(dataset, [cell.strip().lower() for cell in cells], window)
        if not any(column and column.name == "machine_id" for column in self._columns):
            raise BatchError("missing_column", "The header has no column machine_id.")

    def __iter__(self) -> Iterator[Read]:
        return map(self.read, pieces(self._file))

    def read(self, piece: Piece) -> Read:
        return self._plain(piece) or self._decoded(piece)

    def _decoded(self, piece: Piece) -> Read:
        table = decode(
            self.dataset, self._header + piece.data, window=self.window, lines_before=piece.lines_before
        ).table
        lists = {metric.name for metric in self.dataset.metrics if metric.dtype == "real[]"}
        cells = {
            name: list(map(_list_text, cells)) if name in lists else cells for name, cells in table.columns.items()
        }
        types = {
            column.name: _type(self.dataset, column) for column in self._columns if column and column.name in cells
        }
        frame = pl.DataFrame(cells, schema={**types, "timestamp": UTC_MICROSECONDS})
        return self._read(frame)

    def _plain(self, piece: Piece) -> Read | None:
        """None when any cell is not plain or not allowed; whether it is all the same, decode says."""
        data = piece.data.replace(b"\r\n", b"\n") if b"\r" in piece.data else piece.data
        data += b"" if data.endswith(b"\n") else b"\n"
        if any(byte in data for byte in (b'"', b"\r", b"\0")) or _has_long_exponent(data):
            return None
        try:
            cells = self._cells(data)
            return cells if cells is None else self._checked(cells)
        except pl.exceptions.PolarsError:
            return None

    def _cells(self, data: bytes) -> pl.DataFrame | None:
        """Numbers as floats, the rest as text, null where empty; None when a row is not as wide as the header."""
        types = {
            f"c{index}": _type(self.dataset, column) if column and column.metric else pl.String()
            for index, column in enumerate(self._columns)
        }
        cells = pl.read_csv(data, schema=types, has_header=False, quote_char=None)
        even = _count(data, b",") == cells.height * (len(types) - 1) and _count(data, b"\n") == cells.height
        return cells if even else None

    def _checked(self, cells: pl.DataFrame) -> Read | None:
        plain = [
            _plain_column(self.dataset, column, pl.col(f"c{index}"))
            for index, column in enumerate(self._columns)
            if column is not None
        ]
        if not cells.select(pl.all_horizontal(column.allowed for column in plain)).item():
            return None
        read = self._read(cells.select(column.value.alias(column.name) for column in plain))
        earliest, latest = self.window
        return read if earliest <= read.first and read.last <= latest else None

    def _read(self, frame: pl.DataFrame) -> Read:
        moment = pl.col("timestamp")
        grouped = frame.group_by("machine_id").agg(pl.len(), moment.max().alias("newest"), moment.min().alias("oldest"))
        machines = grouped.sort("machine_id").rows()
        found = {machine_id: Machine(rows, newest) for machine_id, rows, newest, _ in machines}
        oldest = min(machine[3] for machine in machines)
        return Read(self.dataset, frame, found, oldest, max(machine.newest for machine in found.values()))


def _type(dataset: Dataset, column: Column) -> pl.DataType:
    if column.metric is not None and column.metric.is_number:
        return pl.Float64()
    return pl.Int64() if column.name == dataset.instance and dataset.instance_dtype == "bigint" else pl.String()


def _has_long_exponent(data: bytes) -> bool:
    """Whether a number may have an exponent of three digits, which reads as 0 here and is refused there."""
    letters = np.frombuffer(data, np.uint8)[:-1] | 0x20  # a capital becomes a small one
    followers = np.frombuffer(data, np.uint8)[1:][letters == ord("e")]
    return bool((followers == ord("-")).any()) and _LONG_EXPONENT.search(data) is not None


def _count(data: bytes, character: bytes) -> int:
    """bytes.count takes ten times as long for what is as frequent as commas."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord(character)))


def _header(file: IO[bytes]) -> bytes:
    line = file.readline(LONGEST_LINE)
    while line and not line.strip():
        line = file.readline(LONGEST_LINE)
    if not line:
        raise BatchError("empty", "The file is empty.")
    return line if line.endswith(b"\n") else line + b"\n"


def pieces(file: IO[bytes]) -> Iterator[Piece]:
    """The rest of the file in pieces that end with a line; a piece that finds no end is handed on as it is."""
    rest, lines = b"", 0
    while block := file.read(PIECE_BYTES):
        data = rest + block
        cut = _end_of_lines(data) or (len(data) if len(data) > LONGEST_LINE else 0)
        whole, rest = data[:cut], data[cut:]
        if whole.strip():
            yield Piece(whole, lines)
        lines += _count(whole, b"\n")
    if rest.strip():
        yield Piece(rest, lines)


def _end_of_lines(data: bytes) -> int:
    """The position after the last line end that is not inside quotes, 0 when there is none."""
    cut = data.rfind(b"\n") + 1
    quotes = data.count(b'"', 0, cut) if b'"' in data else 0
    while quotes % 2:
        earlier = data.rfind(b"\n", 0, cut - 1) + 1
        quotes -= data.count(b'"', earlier, cut)
        cut = earlier
    return cut


@dataclass(frozen=True)
class _Plain:
    """A column of plain cells: its values, and whether all of them are allowed (one truth value)."""

    name: str
    value: pl.Expr
    allowed: pl.Expr


def _plain_column(dataset: Dataset, column: Column, cells: pl.Expr) -> _Plain:
    if column.name == "timestamp":
        moments = cells.str.replace("Z", "+00:00", literal=True).str.to_datetime(
            "%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone="UTC"
        )
        return _Plain(column.name, moments, _all(cells.str.contains(_INSTANT).fill_null(False)))
    if column.metric is None and dataset.instance_dtype == "bigint" and column.name == dataset.instance:
        return _Plain(column.name, cells.cast(pl.Int64), _all(cells.str.contains(r"^\d{1,18}$").fill_null(False)))
    if column.metric is None or column.metric.dtype == "text":
        return _plain_text(column, cells)
    return _plain_numbers(column, cells) if column.metric.is_number else _plain_lists(column, cells)


def _all(truths: pl.Expr) -> pl.Expr:
    return truths.all(ignore_nulls=True)


def _plain_text(column: Column, cells: pl.Expr) -> _Plain:
    plain = ~cells.str.contains(_NOT_PLAIN_TEXT) & (cells.str.len_bytes() <= MAX_TEXT_BYTES)
    if column.metric is None:  # a key: never empty, spaces around it mean nothing or something
        plain = (plain & (cells == cells.str.strip_chars(" "))).fill_null(False)
    return _Plain(column.name, cells, _all(plain))


def _plain_numbers(column: Column, cells: pl.Expr) -> _Plain:
    assert column.metric is not None  # noqa: S101  # the caller asked
    value = cells if column.factor == 1.0 else cells * column.factor
    within = (cells.min() >= column.metric.minimum) & (cells.max() <= column.metric.maximum)
    dust = ((value.abs() < SMALLEST) & (value != 0)).any() | cells.is_nan().any()
    return _Plain(column.name, value + 0.0, within.fill_null(True) & ~dust)  # + 0.0 makes a 0 of -0


def _plain_lists(column: Column, cells: pl.Expr) -> _Plain:
    assert column.metric is not None  # noqa: S101  # the caller asked
    numbers = cells.str.split(";").cast(pl.List(pl.Float64))
    plain = (numbers.list.min() >= column.metric.minimum) & (numbers.list.max() <= column.metric.maximum)
    text = pl.lit("{") + cells.str.replace_all(";", ",", literal=True) + pl.lit("}")
    return _Plain(column.name, text, _all(plain & cells.str.contains(_NUMBER_LIST)))
