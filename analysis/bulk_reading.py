"""A large CSV file of many machines, read a piece at a time into COPY text.

A piece of plain cells is checked and written column-wise. Whatever is not plain, or looks wrong, is read by
`core.batch.decode`, which has the rules and the error texts: the fast way only ever takes what that one takes too.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO

import polars as pl

from analysis import store
from core.batch import SMALLEST, BatchError, Column, Window, decode, resolve_header
from core.catalogue import Dataset

PIECE_BYTES = 4 << 20
LONGEST_LINE = 8 << 20
_INSTANT = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$"
_NUMBER_LIST = r"^\d{1,15}(?:\.\d{0,19})?(?:;\d{1,15}(?:\.\d{0,19})?)*$"
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
    """A piece in PostgreSQL's text format, `machine_id` first and still as text."""

    dataset: Dataset
    texts: pl.DataFrame
    machines: Mapping[str, Machine]
    first: datetime
    last: datetime

    def rows(self, collectors: Mapping[str, int]) -> store.Rows:
        """Ready for COPY; every machine must be among `collectors`, machine id to collector id."""
        ids = {machine_id: collectors[machine_id] for machine_id in self.machines}
        number = pl.col("machine_id").replace_strict(ids, return_dtype=pl.Int64)
        body = io.BytesIO()
        self.texts.with_columns(number).write_csv(
            body, separator="\t", include_header=False, null_value=r"\N", quote_style="never"
        )
        columns = ("collector_id", *self.texts.columns[1:])
        return store.Rows(self.dataset, columns, body.getvalue(), self.texts.height, self.first, self.last)


def digest(dataset: Dataset, file: IO[bytes]) -> str:
    """As `store.digest` of the whole file, in flat memory."""
    total = hashlib.sha256(f"{dataset.name}:{file.seek(0, io.SEEK_END)}:".encode())
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        total.update(piece)
    return total.hexdigest()


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
        columns = {name: store.column_text(cells) for name, cells in table.columns.items() if name != "machine_id"}
        texts = pl.DataFrame({"machine_id": table.columns["machine_id"], **columns})
        return self._read(texts, pl.Series(table.columns["timestamp"], dtype=pl.Datetime("us", "UTC")))

    def _plain(self, piece: Piece) -> Read | None:
        """None when any cell is not plain or not allowed; whether it is all the same, decode says."""
        data = piece.data.replace(b"\r\n", b"\n")
        data += b"" if data.endswith(b"\n") else b"\n"
        if any(byte in data for byte in (b'"', b"\r", b"\0")):
            return None
        try:
            cells = self._cells(data)
            return cells if cells is None else self._checked(cells)
        except pl.exceptions.PolarsError:
            return None

    def _cells(self, data: bytes) -> pl.DataFrame | None:
        """Every cell as text, null where empty; None when a row is not as wide as the header."""
        width = len(self._columns)
        names = ",".join(f"c{index}" for index in range(width)).encode() + b"\n"
        cells = pl.read_csv(io.BytesIO(names + data), infer_schema=False, quote_char=None)
        even = data.count(b",") == cells.height * (width - 1) and data.count(b"\n") == cells.height
        return cells if even else None

    def _checked(self, cells: pl.DataFrame) -> Read | None:
        plain = [
            _plain_column(self.dataset, column, f"c{index}")
            for index, column in enumerate(self._columns)
            if column is not None
        ]
        frame = cells.select(
            *(column.text.alias(column.name) for column in plain),
            pl.all_horizontal(column.allowed.all() for column in plain).alias("_allowed"),
            _moment(f"c{self._index('timestamp')}").alias("_moment"),
        )
        moments = frame["_moment"]
        earliest, latest = self.window
        if not frame["_allowed"].all() or moments.min() < earliest or moments.max() > latest:  # type: ignore[operator]
            return None
        names = [column.name for column in plain if column.name != "machine_id"]
        return self._read(frame.select("machine_id", *names), moments)

    def _index(self, name: str) -> int:
        return next(index for index, column in enumerate(self._columns) if column and column.name == name)

    def _read(self, texts: pl.DataFrame, moments: pl.Series) -> Read:
        grouped = pl.DataFrame({"machine_id": texts["machine_id"], "moment": moments}).group_by("machine_id")
        machines = grouped.agg(pl.len(), pl.col("moment").max()).sort("machine_id").rows()
        found = {machine_id: Machine(rows, newest) for machine_id, rows, newest in machines}
        newest = max(machine.newest for machine in found.values())
        oldest = moments.min()
        assert isinstance(oldest, datetime)  # noqa: S101  # a series of datetimes that has a row
        return Read(self.dataset, texts, found, oldest, newest)


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
        rest = data[cut:]
        if data[:cut].strip():
            yield Piece(data[:cut], lines)
        lines += data.count(b"\n", 0, cut)
    if rest.strip():
        yield Piece(rest, lines)


def _end_of_lines(data: bytes) -> int:
    """The position after the last line end that is not inside quotes, 0 when there is none."""
    cut = data.rfind(b"\n") + 1
    quotes = data.count(b'"', 0, cut)
    while quotes % 2:
        earlier = data.rfind(b"\n", 0, cut - 1) + 1
        quotes -= data.count(b'"', earlier, cut)
        cut = earlier
    return cut


@dataclass(frozen=True)
class _Plain:
    """A column of plain cells: its text for COPY, and for each cell whether it is allowed."""

    name: str
    text: pl.Expr
    allowed: pl.Expr


def _plain_column(dataset: Dataset, column: Column, cell: str) -> _Plain:
    cells = pl.col(cell)
    if column.name == "timestamp":
        return _Plain(column.name, cells, cells.is_not_null())
    if column.metric is None and column.name == dataset.instance and dataset.instance_dtype == "bigint":
        return _Plain(column.name, cells, cells.str.contains(r"^\d{1,18}$").fill_null(False))
    if column.metric is None or column.metric.dtype == "text":
        return _plain_text(column, cells)
    return _plain_numbers(column, cells) if column.metric.is_number else _plain_lists(column, cells)


def _plain_text(column: Column, cells: pl.Expr) -> _Plain:
    plain = ~cells.str.contains(_NOT_PLAIN_TEXT) & (cells.str.len_bytes() <= 1024)
    if column.metric is None:
        plain = plain & (cells == cells.str.strip_chars(" "))
    text = cells.str.replace_all("\\", r"\\", literal=True)
    return _Plain(column.name, text, plain.fill_null(column.metric is not None))


def _plain_numbers(column: Column, cells: pl.Expr) -> _Plain:
    assert column.metric is not None  # noqa: S101  # the caller asked
    given = cells.cast(pl.Float64)
    value = given if column.factor == 1.0 else given * column.factor
    plain = given.is_between(column.metric.minimum, column.metric.maximum) & given.is_finite()
    plain = plain & ((value == 0) | (value.abs() >= SMALLEST))
    return _Plain(column.name, cells if column.factor == 1.0 else value, plain.fill_null(True))


def _plain_lists(column: Column, cells: pl.Expr) -> _Plain:
    assert column.metric is not None  # noqa: S101  # the caller asked
    numbers = cells.str.split(";").cast(pl.List(pl.Float64))
    plain = (numbers.list.min() >= column.metric.minimum) & (numbers.list.max() <= column.metric.maximum)
    text = pl.lit("{") + cells.str.replace_all(";", ",", literal=True) + pl.lit("}")
    return _Plain(column.name, text, (plain & cells.str.contains(_NUMBER_LIST)).fill_null(True))


def _moment(cell: str) -> pl.Expr:
    """The time of RFC 3339 cells; PolarsError when one is none, or in a form that is left to decode."""
    plain = pl.when(pl.col(cell).str.contains(_INSTANT)).then(pl.col(cell)).otherwise(pl.lit("not plain"))
    return plain.str.replace("Z", "+00:00", literal=True).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone="UTC"
    )
