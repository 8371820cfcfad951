"""Tables as CSV, JSON or JSON lines, to a file that appears whole or not at all, or to standard output."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Callable, Optional, TextIO

from core.batch import Table, encode, format_timestamp

_MAX_NAME = 150
Write = Callable[[Iterable[Table]], Iterator[str]]


@contextlib.contextmanager
def output(path: Optional[str]) -> Iterator[TextIO]:
    """None or `-` is standard output."""
    if path in (None, "-"):
        yield sys.stdout
        return
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            yield file
        os.replace(temporary, str(path))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def align(table: Table, columns: Sequence[str], machine_id: str = "") -> Table:
    """The same rows with exactly these columns, empty where the file had none."""
    empty: dict[str, list[Any]] = {name: [None] * len(table) for name in columns}
    if "machine_id" in columns and "machine_id" not in table.columns:
        empty["machine_id"] = [machine_id] * len(table)
    return Table(table.dataset, {name: table.columns.get(name, empty[name]) for name in columns})


def csv_lines(table: Table) -> list[str]:
    """A line a row, without the header; no cell of the format holds a line feed."""
    return encode(table).split("\n")[1:-1]


def header_line(columns: Iterable[str]) -> str:
    return ",".join(columns)


def as_csv(tables: Iterable[Table]) -> Iterator[str]:
    first = True
    for table in tables:
        if first:
            yield header_line(table.columns) + "\n"
            first = False
        yield "".join(f"{line}\n" for line in csv_lines(table))


def as_json_lines(tables: Iterable[Table]) -> Iterator[str]:
    for table in tables:
        yield "".join(f"{_json(row)}\n" for row in _objects(table))


def as_json(tables: Iterable[Table]) -> Iterator[str]:
    """An array of objects, as the portal's export."""
    separator = "["
    for table in tables:
        for row in _objects(table):
            yield separator + _json(row)
            separator = ","
    yield "]\n" if separator == "," else "[]\n"


def _objects(table: Table) -> Iterator[Mapping[str, Any]]:
    return (dict(zip(table.columns, row)) for row in zip(*table.columns.values()))


def _json(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_moment)


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return format_timestamp(value)
    raise TypeError(type(value).__name__)


WRITERS: Mapping[str, Write] = {"csv": as_csv, "json": as_json, "jsonl": as_json_lines}


def file_name(text: str) -> str:
    """Any text (a machine's name) as a part of a file's name: no folder, no leading dot, no surprise."""
    safe = re.sub(rb"[^A-Za-z0-9._-]|^\.", lambda match: b"%%%02X" % match[0][0], text.encode()).decode()
    if len(safe) <= _MAX_NAME:
        return safe
    return f"{safe[:_MAX_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
