"""Periodic duties of alerts: the evaluation each minute, and forgetting what is old."""

from __future__ import annotations

from datetime import datetime, timedelta

from alerts import evaluation, history
from partners.duties import Duty, Stopped
from partners.models import Partner


def evaluate(partner: Partner, now: datetime, stopped: Stopped) -> str:
    """A suspended partner's machines may not upload: that they are silent is nobody's alert."""
    if partner.is_open:
        return str(evaluation.evaluate(now))
    evaluation.pass_over(now)
    return ""


def trim(partner: Partner, now: datetime, stopped: Stopped) -> str:
    count = history.trim(now, timedelta(days=partner.rollup_retention_days))
    return f"forgot {count}" if count else ""


DUTIES = (
    Duty("alerts", timedelta(minutes=1), evaluate),
    Duty("old alerts", timedelta(hours=1), trim),
)
