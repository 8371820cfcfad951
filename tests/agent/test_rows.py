"""Rows as CSV: the agent writes what the portal's own encoder would write."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from agent import rows
from agent.clocks import Instant
from core.batch import Table, clean_text, encode, parse_timestamp
from core.catalogue import DATASETS

NUMBERS = [
    *(0.0, -0.0, 1.0, 99.99999, 12.3456789, 1e-21, 1e-19, 1e-5, 0.0001234567, 1234567.8, 12345678.9, 1e15, 3),
    *(1 / 3, 2.5e-10, 100.0, None),
]
TEXTS = ["plain", "", "a,b", 'say "x"', "=cmd", "'=x", "@a,b", "é", "-1", None, "a b", "'"]


@pytest.mark.parametrize("value", NUMBERS)
def test_a_number_is_written_as_the_portal_writes_it(value: Any) -> None:
    check("system", {"cpu_user": value, "cpu_cores": [number for number in NUMBERS if number is not None]})


@pytest.mark.parametrize("value", TEXTS)
def test_a_text_is_written_as_the_portal_writes_it(value: Any) -> None:
    check("filesystems", {"mount": value, "device": value, "total_mb": 1.5})
    check("processes", {"pid": 7, "name": value, "cpu": 0.5})


def check(name: str, row: dict[str, Any]) -> None:
    moment = datetime(2026, 1, 5, 12, 0, 0, tzinfo=timezone.utc)
    dataset = DATASETS[name]
    columns: dict[str, list[Any]] = {"timestamp": [moment], "machine_id": ["m"]}
    columns.update({column: [row.get(column)] for column in dataset.columns[2:]})
    expected = encode(Table(dataset, columns))
    (line,) = rows.lines({name: [row]}, "2026-01-05T12:00:00Z", "m")[name]
    assert f"{rows.headers()[name]}\n{line}\n" == expected


def test_a_dataset_without_rows_has_no_lines() -> None:
    assert rows.lines({"system": [{}], "disks": []}, "t", "m").keys() == {"system"}


@pytest.mark.parametrize("wall", [0.0, 1_767_614_400.0, 1_767_614_400.1234, 1_767_614_399.9996, 4_102_444_800.5])
def test_a_timestamp_is_utc_to_the_millisecond(wall: float) -> None:
    text = Instant(wall, 0, 0).timestamp
    assert parse_timestamp(text).timestamp() == pytest.approx(int(wall * 1000) / 1000)
    assert text.endswith("Z")


def test_a_name_of_any_bytes_is_cleaned_as_the_portal_cleans_it() -> None:
    from agent.readers.files import clean_name

    for raw in (b"eth0", b"a\xffb", b"x" * 2000, "é".encode(), b"a\x01"):
        assert clean_name(raw.decode("utf-8", "surrogateescape")) == clean_text(raw)
