"""The part of a machine's page that says in how many days its filesystems are full."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from accounts.models import Role
from tests import samples
from tests.cast import Cast

URL = "/machines/server1/filesystems"
DAYS = 10


def store(cast: Cast, mount: str, used: list[float], total: float = 1000.0) -> None:
    """A value an hour, the newest an hour old."""
    start: datetime = samples.recent(len(used)).replace(minute=0)
    columns: dict[str, list[Any]] = {
        "timestamp": samples.minutes(start, len(used), timedelta(hours=1)),
        "mount": [mount] * len(used),
        "used_mb": used,
        "available_mb": [total - one for one in used],
        "total_mb": [total] * len(used),
        "used_percent": [one / total * 100 for one in used],
    }
    samples.upload(cast, columns, dataset="filesystems")


def shown(cast: Cast) -> str:
    return cast.client(Role.VIEWER).get(URL).content.decode()


def test_steady_growth_gives_days_until_full(alpha: Cast) -> None:
    store(alpha, "/data", [500 + hour / 24 * 20 for hour in range(DAYS * 24)])
    text = shown(alpha)
    assert "/data" in text
    assert "15 days" in text


def test_without_growth_there_is_no_date(alpha: Cast) -> None:
    store(alpha, "/", [500.0] * DAYS * 24)
    assert "no certain growth" in shown(alpha)


def test_a_short_history_gives_no_date(alpha: Cast) -> None:
    store(alpha, "/", [500.0 + hour for hour in range(30)])
    assert "history under five days" in shown(alpha)


def test_the_one_that_is_full_first_comes_first(alpha: Cast) -> None:
    store(alpha, "/slow", [500 + hour / 24 * 2 for hour in range(DAYS * 24)])
    store(alpha, "/fast", [500 + hour / 24 * 40 for hour in range(DAYS * 24)])
    text = shown(alpha)
    assert text.index("/fast") < text.index("/slow")
    assert 'class="soon"' in text


def test_without_samples_it_says_so(alpha: Cast) -> None:
    assert "No samples of filesystems" in shown(alpha)


def test_a_hostile_mount_is_text(alpha: Cast) -> None:
    store(alpha, "/<script>alert(1)</script>", [500.0] * 30)
    assert "<script>" not in shown(alpha)
