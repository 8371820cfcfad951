"""Sorting more rows than fit in memory: sorted runs in temporary files, then one merge of them."""

from __future__ import annotations

import heapq
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import NamedTuple, Optional

RUN_ROWS = 20_000
MAX_RUNS = 64
"""Merged into one when there are more: each is an open file."""
_SEPARATOR = "\x1f"
"""A control character, and so in no cell of the format."""


class Row(NamedTuple):
    """A CSV line by its key: instant (ISO 8601, to the microsecond, UTC), machine, instance."""

    key: tuple[str, str, str]
    line: str


def sort_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """By key; rows of one key keep their order. Memory for RUN_ROWS rows at most."""
    iterator = iter(rows)
    first = sorted(itertools.islice(iterator, RUN_ROWS), key=_key)
    if len(first) < RUN_ROWS:
        yield from first
        return
    with tempfile.TemporaryDirectory(prefix="perfagent-sort-") as folder:
        runs = [_write(folder, 0, first)]
        del first
        for number in itertools.count(1):
            part = sorted(itertools.islice(iterator, RUN_ROWS), key=_key)
            if not part:
                break
            if len(runs) >= MAX_RUNS:
                runs = [_join(folder, runs, number)]
            runs.append(_write(folder, number, part))
        del part
        yield from _merge(runs)


def _key(row: Row) -> tuple[str, str, str]:
    return row.key


def _write(folder: str, number: int, rows: Iterable[Row], kind: str = "run") -> str:
    path = f"{folder}/{kind}{number}"
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{_SEPARATOR.join((*row.key, row.line))}\n" for row in rows)
    return path


def _join(folder: str, runs: list[str], number: int) -> str:
    path = _write(folder, number, _merge(runs), "joined")
    for run in runs:
        os.unlink(run)
    return path


def _merge(runs: list[str]) -> Iterator[Row]:
    """Equal keys come in the order of the runs (heapq.merge is stable)."""
    with ExitStack() as stack:
        files = [stack.enter_context(open(path, encoding="utf-8", newline="\n")) for path in runs]
        yield from heapq.merge(*map(_rows, files), key=_key)


def _rows(lines: Iterable[str]) -> Iterator[Row]:
    for text in lines:
        timestamp, machine, instance, line = text.rstrip("\n").split(_SEPARATOR, 3)
        yield Row((timestamp, machine, instance), line)


class Duplicates:
    """Passes on the first row of each key, and counts the others: `dropped`, `different` where the values differ."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.dropped = 0
        self.different = 0

    def __iter__(self) -> Iterator[Row]:
        kept: Optional[Row] = None
        for row in self._rows:
            if kept is None or row.key != kept.key:
                kept = row
                yield row
                continue
            self.dropped += 1
            self.different += row.line != kept.line
