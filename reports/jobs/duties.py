"""Periodic duties of reports: make those that wait, and forget old ones."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from partners.duties import Duty, Stopped
from partners.models import Partner
from reports.jobs import making, queue


def make_reports(partner: Partner, now: datetime, stopped: Stopped) -> str:
    """One a turn, so that the other partners and duties have theirs."""
    report = queue.take(timezone.now())
    return making.make(report, stopped) if report else ""


def trim_reports(partner: Partner, now: datetime, stopped: Stopped) -> str:
    count = queue.trim(now - timedelta(days=partner.rollup_retention_days))
    return f"{count} old reports" if count else ""


DUTIES = (
    Duty("old reports", timedelta(hours=1), trim_reports),
    Duty("reports", timedelta(seconds=5), make_reports),
)
