"""Exports and documents of constructed machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reports import table
from reports.table import Machine
from reports.wording import Clock
from tests.cast import Cast
from tests.reports import apart, machines
from tests.reports.machines import Columns, ReadOne, WriteExport


@pytest.fixture
def clock() -> Clock:
    return Clock(ZoneInfo("Europe/Berlin"))


@pytest.fixture
def write(tmp_path: Path) -> WriteExport:
    """Writes machines as an export and gives its path."""

    def write_export(columns: Mapping[str, Columns], name: str = "export.csv", **options: Any) -> Path:
        path = Path(tmp_path) / name
        path.write_text(machines.to_csv(columns, **options), encoding="utf-8")
        return path

    return write_export


@pytest.fixture
def read_one(write: WriteExport) -> ReadOne:
    """The machine of an export that holds one."""

    def read_export(columns: Columns, **options: Any) -> Machine:
        (machine,) = table.read([write({"web-01": columns}, **options)]).machines
        return machine

    return read_export


@pytest.fixture
def racers(alpha: Cast) -> Iterator[None]:
    """The partner of `apart`, and gone after the test. Alpha only brings the database."""
    apart.open_racers()
    yield
    apart.close_racers()
