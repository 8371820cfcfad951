"""Exports and documents of constructed machines."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from reports import table
from reports.wording import Clock
from tests.reports import machines


@pytest.fixture
def clock():
    return Clock(ZoneInfo("Europe/Berlin"))


@pytest.fixture
def write(tmp_path):
    """Writes machines as an export and gives its path."""

    def write_export(columns, name="export.csv", **options):
        path = Path(tmp_path) / name
        path.write_text(machines.to_csv(columns, **options), encoding="utf-8")
        return path

    return write_export


@pytest.fixture
def read_one(write):
    """The machine of an export that holds one."""

    def read_export(columns, **options):
        (machine,) = table.read([write({"web-01": columns}, **options)]).machines
        return machine

    return read_export
