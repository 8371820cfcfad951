"""When a worker was last seen alive: in the shared cache, so that reading it asks no database."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.limits import shared_get, shared_set

_KEY = "work.heartbeat"
_KEPT = timedelta(days=1)


def beat(now: datetime) -> None:
    shared_set(_KEY, now.isoformat(), int(_KEPT.total_seconds()))


def last() -> datetime | None:
    """None: no worker was alive in the last day, or the cache is away."""
    found = shared_get(_KEY)
    return datetime.fromisoformat(found) if isinstance(found, str) else None
