"""collectors.models: the state of a machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.models import Collector

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("age", "state"),
    [(None, "never"), (-60, "live"), (0, "live"), (600, "live"), (601, "late"), (3600, "late"), (3601, "silent")],
)
def test_the_state_is_how_long_ago_the_last_batch_came(settings: Any, age: int | None, state: str) -> None:
    settings.LATE_SECONDS, settings.SILENT_SECONDS = 600, 3600
    seen = None if age is None else NOW - timedelta(seconds=age)
    assert Collector(machine_id="a", last_seen=seen).state(NOW) == state
    assert Collector(machine_id="a", last_seen=seen, active=False).state(NOW) == "retired"
