"""What `ctl` prints for people. Names come from machines: nothing in them may move the cursor of a terminal."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, Optional


def clean(value: Any) -> str:
    if value is None or value == "":
        return "-"
    text = ", ".join(map(str, value)) or "-" if isinstance(value, list) else str(value)
    return "".join(character if character.isprintable() else "?" for character in text)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    cells = [[name.upper() for name in columns], *([clean(row.get(name)) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in cells)


def record(content: Mapping[str, Any]) -> str:
    """A line a field; what is nested is indented by its name."""
    lines = list(_lines(content, ""))
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join(f"{name:{width}}  {text}" for name, text in lines)


def _lines(content: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        if isinstance(value, dict) and value:
            yield from _lines(value, f"{prefix}{clean(name)}.")
        else:
            yield prefix + clean(name), clean(value or None if isinstance(value, dict) else value)


@contextlib.contextmanager
def binary_output(path: Optional[str]) -> Iterator[Callable[[bytes], Any]]:
    """A file that appears whole or not at all; None or `-` is standard output."""
    if path in (None, "-"):
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            yield file.write
        os.replace(temporary, str(path))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
