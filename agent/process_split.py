"""One file for each machine, instance, hour, day or month; nothing that exists is overwritten."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence

from core.batch import Table

from agent.process_writing import csv_lines, file_name, header_line

_TIME_NAMES = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


def split(tables: Iterable[Table], by: str, folder: str) -> int:
    """The number of files made. Open is one at a time, so there may be any number. OSError when one exists already."""
    os.makedirs(folder, exist_ok=True)
    made: set[str] = set()
    for table in tables:
        parts: defaultdict[str, list[str]] = defaultdict(list)
        for name, line in zip(names(table, by), csv_lines(table)):
            parts[name].append(line)
        for name, lines in parts.items():
            _append(f"{folder}/{table.dataset.name}-{name}.csv", header_line(table.columns), lines, made)
    return len(made)


def names(table: Table, by: str) -> Sequence[str]:
    """The part that each row belongs to, as a part of a file's name."""
    if by in _TIME_NAMES:
        return [moment.strftime(_TIME_NAMES[by]) for moment in table.columns["timestamp"]]
    column = "machine_id" if by == "machine" else table.dataset.instance
    return [file_name(str(value)) for value in table.columns[str(column)]]


def _append(path: str, header: str, lines: Iterable[str], made: set[str]) -> None:
    is_new = path not in made
    with open(path, "x" if is_new else "a", encoding="utf-8", newline="") as file:
        if is_new:
            file.write(header + "\n")
        file.writelines(f"{line}\n" for line in lines)
    made.add(path)
