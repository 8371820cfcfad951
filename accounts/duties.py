"""Periodic duties of accounts: the audit log's chain and old sessions."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts import seals, sessions, visits
from partners.duties import Duty, Stopped
from partners.models import Partner


def seal_audit(partner: Partner, now: datetime, stopped: Stopped) -> str:
    """Says the chain's new head, so that it stands in a log elsewhere (`verify_audit --expect`)."""
    count = seals.seal()
    return f"{count} events, head {seals.head()}" if count else ""


def clear_sessions(partner: Partner, now: datetime, stopped: Stopped) -> str:
    count = sessions.clear(now)
    return f"{count} expired" if count else ""


def end_visits(partner: Partner, now: datetime, stopped: Stopped) -> str:
    count = visits.end_overdue(now)
    return f"{count} ended" if count else ""


DUTIES = (
    Duty("audit chain", timedelta(minutes=1), seal_audit),
    Duty("sessions", timedelta(hours=1), clear_sessions),
    Duty("visits", timedelta(minutes=1), end_visits),
)
