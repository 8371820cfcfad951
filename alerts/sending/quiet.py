"""Quiet hours: when what is not critical waits, in the wall-clock time of the tenant."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def ends_at(now: datetime, begin: time | None, end: time | None, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours that are now end; None when there are none now. Over midnight when begin is after end."""
    if begin is None or end is None or begin == end:
        return None
    local = now.astimezone(zone)
    clock = local.time()
    is_quiet = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=1 if begin > end and clock >= begin else 0)
    return datetime.combine(day, end, zone).astimezone(UTC)
