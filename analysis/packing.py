"""Samples of one machine in PostgreSQL's binary format of COPY: no number is turned into text, here nor there."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from core.batch import Table
from core.catalogue import Dataset

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""PostgreSQL counts microseconds from here."""
_MICROSECOND = timedelta(microseconds=1)
_NULL = struct.pack(">i", -1)
_HEAD = struct.Struct(">hiqiq")
_BIGINT = struct.Struct(">iq")
_LENGTH = struct.Struct(">i")
_ARRAY = struct.Struct(">iiiiii")
_REAL_OID = 700


def pack(table: Table, collector_id: int) -> tuple[tuple[str, ...], bytes]:
    """The columns in the order of their fields, and the rows: the key, every number, then what has no fixed width."""
    dtypes = _dtypes(table.dataset)
    own = {name: cells for name, cells in table.columns.items() if name in dtypes}
    numbers = [name for name in own if dtypes[name] == "real"]
    others = [name for name in own if dtypes[name] != "real"]
    columns = ("collector_id", "timestamp", *numbers, *others)
    fields = [map(_FIELDS[dtypes[name]], own[name]) for name in others]
    rows = zip(table.columns["timestamp"], _rows([own[name] for name in numbers]), _rows(fields), strict=False)
    pieces = [SIGNATURE]
    for moment, values, rest in rows:
        pieces.append(_HEAD.pack(len(columns), 8, collector_id, 8, (moment - _EPOCH) // _MICROSECOND))
        pieces.append(_pack_numbers(values))
        pieces += rest
    return columns, b"".join([*pieces, TRAILER])


def _dtypes(dataset: Dataset) -> Mapping[str, str]:
    """Of every column but machine and time."""
    dtypes = {metric.name: metric.dtype for metric in dataset.metrics}
    return {**dtypes, dataset.instance: dataset.instance_dtype} if dataset.instance else dtypes


def _rows(columns: Sequence[Iterable[Any]]) -> Iterator[tuple[Any, ...]]:
    """Columns as rows; empty ones, as many as are asked for, where there is no column."""
    return zip(*columns, strict=True) if columns else itertools.repeat(())


def _pack_numbers(values: Sequence[float | None]) -> bytes:
    """Each with its length; what was not measured has the length -1 and no value."""
    if None in values:
        arguments = [part for value in values for part in ((-1,) if value is None else (4, value))]
        return _numbers(tuple(value is None for value in values)).pack(*arguments)
    arguments = [4] * (2 * len(values))
    arguments[1::2] = values  # type: ignore[assignment]  # floats between the lengths
    return _numbers((False,) * len(values)).pack(*arguments)


@lru_cache(maxsize=1024)
def _numbers(missing: tuple[bool, ...]) -> struct.Struct:
    return struct.Struct(">" + "".join("i" if is_missing else "if" for is_missing in missing))


def _bigint(value: int) -> bytes:
    return _BIGINT.pack(8, value)


def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    data = value.encode()
    return _LENGTH.pack(len(data)) + data


def _array(values: Sequence[float] | None) -> bytes:
    """One dimension from 1, without NULLs."""
    if values is None:
        return _NULL
    body = _pack_numbers(values)
    return _ARRAY.pack(20 + len(body), 1, 0, _REAL_OID, len(values), 1) + body


_FIELDS: Mapping[str, Callable[[Any], bytes]] = {"bigint": _bigint, "text": _text, "real[]": _array}
