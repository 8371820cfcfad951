"""Periodic duties of collectors: events of machines are kept as long as roll-ups."""

from __future__ import annotations

from datetime import datetime, timedelta

from collectors import events
from partners.duties import Duty, Stopped
from partners.models import Partner


def trim_events(partner: Partner, now: datetime, stopped: Stopped) -> str:
    count = events.trim(now - timedelta(days=partner.rollup_retention_days))
    return f"{count} old events" if count else ""


DUTIES = (Duty("machine events", timedelta(hours=1), trim_events),)
