"""Typed columns in PostgreSQL's formats of COPY: binary where every column has a fixed width, text otherwise."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from analysis import packing

_EPOCH_MICROSECONDS = 946_684_800_000_000
"""PostgreSQL counts from 2000-01-01."""
Array: TypeAlias = "np.ndarray[Any, Any]"
_BINARY = {pl.Int64: ">i8", pl.Datetime: ">i8", pl.Float64: ">f4"}


def encode(frame: pl.DataFrame) -> tuple[str, bytes]:
    """The format's name and the rows. Floats are for columns of type real, datetimes for timestamptz."""
    fixed = all(type(dtype) in _BINARY for dtype in frame.dtypes)
    return ("binary", _binary(frame)) if fixed else ("text", _text(frame))


def _text(frame: pl.DataFrame) -> bytes:
    body = io.BytesIO()
    frame.with_columns(pl.col(pl.String).str.replace_all("\\", r"\\", literal=True)).write_csv(
        body, separator="\t", include_header=False, null_value=r"\N", quote_style="never",
        datetime_format="%Y-%m-%dT%H:%M:%S%.6f+00",
    )  # fmt: skip
    return body.getvalue()


def _binary(frame: pl.DataFrame) -> bytes:
    """For each row the number of fields, for each field its length and value; NULL has the length -1 and no value.

    Neighbours of one type are one block of lengths and values, written at once.
    """
    blocks = [_Block(number, list(run)) for number, (_, run) in enumerate(itertools.groupby(frame, _kind))]
    rows = np.zeros(frame.height, dtype=np.dtype([("fields", ">i2"), *(block.layout for block in blocks)]))
    rows["fields"] = frame.width
    for block in blocks:
        block.write(rows)
    return packing.SIGNATURE + _without_nulls(rows, blocks) + packing.TRAILER


def _kind(column: pl.Series) -> str:
    return _BINARY[type(column.dtype)]


class _Block:
    """Columns side by side of one type, as one field of a row: for each column its length, then its value."""

    def __init__(self, number: int, columns: Sequence[pl.Series]) -> None:
        self.name, self.columns = f"block{number}", columns
        self.cell = np.dtype([("length", ">i4"), ("value", _kind(columns[0]))])
        self.layout = (self.name, self.cell, (len(columns),))

    def write(self, rows: Array) -> None:
        cells = rows[self.name]
        cells["length"] = self.cell["value"].itemsize
        cells["value"] = pl.DataFrame([_physical(column) for column in self.columns]).to_numpy(order="c")
        for index, column in enumerate(self.columns):
            if column.null_count():
                cells["length"][column.is_null().to_numpy(), index] = -1


def _physical(column: pl.Series) -> pl.Series:
    """As PostgreSQL counts; 0 for what is NULL."""
    if isinstance(column.dtype, pl.Datetime):
        return column.to_physical() - _EPOCH_MICROSECONDS
    narrow = column.cast(pl.Float32) if column.dtype == pl.Float64 else column
    return narrow.fill_null(0)


def _without_nulls(rows: Array, blocks: Sequence[_Block]) -> bytes:
    """The bytes of the rows, but for the values of what is NULL."""
    if not any(column.null_count() for block in blocks for column in block.columns):
        return rows.tobytes()
    raw = rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)
    kept = np.ones(raw.shape, dtype=bool)
    for block in blocks:
        begin = rows.dtype.fields[block.name][1]
        for index, column in enumerate(block.columns):
            end = begin + (index + 1) * block.cell.itemsize
            kept[column.is_null().to_numpy(), end - block.cell["value"].itemsize : end] = False
    return raw[kept].tobytes()
