"""Rows of a sample as CSV lines, character for character as `core.batch.encode` writes them.

That module reads uploads too, and brings csv, decimal, datetime and OpenSSL: 5 MB that this process never needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.catalogue import DATASETS

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SMALLEST = 1e-20
_QUOTED = (",", '"', "\r", "\n")
_VALUES = {name: dataset.columns[2:] for name, dataset in DATASETS.items()}
"""Columns after the timestamp and the machine, by dataset."""


def headers() -> dict[str, str]:
    """The CSV header line of each dataset."""
    return {name: ",".join(dataset.columns) for name, dataset in DATASETS.items()}


def lines(rows: Mapping[str, Sequence[Mapping[str, Any]]], timestamp: str, machine_id: str) -> dict[str, list[str]]:
    """CSV lines without header by dataset; only datasets that have rows. No line holds a line feed."""
    start = f"{timestamp},{cell(machine_id)}"
    return {name: [_line(start, row, _VALUES[name]) for row in members] for name, members in rows.items() if members}


def _line(start: str, row: Mapping[str, Any], columns: Sequence[str]) -> str:
    cells = [start]
    for name in columns:
        value = row.get(name)
        if value is None:
            cells.append("")
        elif value.__class__ is float:
            cells.append(number(value))
        else:
            cells.append(cell(value))
    return ",".join(cells)


def number(value: float) -> str:
    """Seven significant digits, never an exponent."""
    text = f"{value:.7g}" if value else "0"
    return _without_exponent(text, value) if "e" in text else text


def _without_exponent(text: str, value: float) -> str:
    from decimal import Decimal  # for values above ten million and below a ten-thousandth

    return "0" if abs(value) < _SMALLEST else format(Decimal(text), "f")


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return ";".join(map(number, value))
    return str(value) if isinstance(value, int) else number(value)


def _text(text: str) -> str:
    """A leading quote for what a spreadsheet would run as a formula, and CSV quotes where needed (RFC 4180)."""
    if text.lstrip("'").startswith(_FORMULA):
        text = "'" + text
    if any(mark in text for mark in _QUOTED):
        return '"' + text.replace('"', '""') + '"'
    return text
