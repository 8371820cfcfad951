"""manage.py storage, and how much a row may take."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from analysis import storage
from core.catalogue import SYSTEM
from core.tenancy import schema_context
from tests import samples
from tests.cast import Cast

ROWS = 20_000
MOST_BYTES = 340


def full_rows(count: int) -> dict[str, list[Any]]:
    """All columns of a machine with four cores, in order of time as they come: backwards, the index is larger."""
    start = timezone.now().replace(second=0, microsecond=0) - timedelta(seconds=count)
    moments = [start + timedelta(seconds=index) for index in range(count)]
    numbers = {metric.name: [12.5] * count for metric in SYSTEM.metrics if metric.is_number}
    return {"timestamp": moments, **numbers, "cpu_cores": [[1.5, 2.5, 3.5, 4.5]] * count}


def system_size() -> storage.Size:
    with schema_context("alpha"):
        return storage.sizes(timezone.now())[0]


def test_a_row_with_all_columns_and_its_index_is_small(alpha: Cast) -> None:
    before = system_size()
    samples.upload(alpha, full_rows(ROWS))
    after = system_size()
    assert after.rows - before.rows == ROWS
    assert (after.bytes - before.bytes) / ROWS <= MOST_BYTES


def test_growth_is_that_of_the_last_week(alpha: Cast) -> None:
    samples.upload(alpha, {"timestamp": samples.minutes(samples.recent(), 14), "cpu_user": [1.0] * 14})
    size = system_size()
    assert size.rows_per_day == 2.0
    assert size.bytes_per_day == pytest.approx(size.bytes / 14 * 2)
    assert storage.days_until_full(1000, 10.0) == 100
    assert storage.days_until_full(1000, 0.0) is None


def test_the_command_prints_every_table_and_the_forecast(
    alpha: Cast, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples.upload(alpha, {"timestamp": [samples.recent()], "cpu_user": [1.0]})
    call_command("storage", schema="alpha", disk=tmp_path)
    printed = capsys.readouterr().out
    assert "analysis_interfaces" in printed
    assert "beta" not in printed
    assert "full in" in printed
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("storage", schema="alpha", disk=tmp_path / "none")
