"""Typed columns in PostgreSQL's formats of COPY: binary where every column has a fixed width, text otherwise."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl

from analysis import packing

_EPOCH_MICROSECONDS = 946_684_800_000_000
"""PostgreSQL counts from 2000-01-01."""
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
    """For each row the number of fields, for each field its length and value; NULL has the length -1 and no value."""
    types = [_BINARY[type(dtype)] for dtype in frame.dtypes]
    layout = [
        (f"{part}{index}", kind) for index, value in enumerate(types) for part, kind in (("n", ">i4"), ("v", value))
    ]
    rows = np.zeros(frame.height, dtype=np.dtype([("fields", ">i2"), *layout]))
    rows["fields"] = frame.width
    for index, column in enumerate(frame):
        rows[f"v{index}"] = _values(column)
        rows[f"n{index}"] = np.where(column.is_null(), -1, rows.dtype[f"v{index}"].itemsize)
    return packing.SIGNATURE + _without_nulls(rows, frame) + packing.TRAILER


def _values(column: pl.Series) -> Any:
    if isinstance(column.dtype, pl.Datetime):
        return column.to_physical().to_numpy() - _EPOCH_MICROSECONDS
    return column.fill_null(0).to_numpy()


def _without_nulls(rows: np.ndarray[Any, Any], frame: pl.DataFrame) -> bytes:
    """The bytes of the rows, but for the values of what is NULL."""
    if not any(frame.null_count().row(0)):
        return rows.tobytes()
    raw = rows.view(np.uint8).reshape(frame.height, rows.dtype.itemsize)
    kept = np.ones(raw.shape, dtype=bool)
    for index, column in enumerate(frame):
        kind, offset = rows.dtype.fields[f"v{index}"][:2]
        kept[column.is_null().to_numpy(), offset : offset + kind.itemsize] = False
    return raw[kept].tobytes()
