"""Periodic duties of analysis: partitions, roll-ups and retention."""

from __future__ import annotations

from datetime import datetime, timedelta

from analysis import partitions, retention, rollups
from partners.duties import Duty, Stopped
from partners.models import Partner


def make_partitions(partner: Partner, now: datetime, stopped: Stopped) -> str:
    missing = partitions.plan_ahead(now)
    partitions.create(missing)
    return f"made {len(missing)}" if missing else ""


def roll_up(partner: Partner, now: datetime, stopped: Stopped) -> str:
    hours = rollups.refresh(now, stopped)
    return f"{hours} hours of machines" if hours else ""


def apply_retention(partner: Partner, now: datetime, stopped: Stopped) -> str:
    """Samples go only when they are rolled up; roll-ups by their own limit."""
    plan = retention.plan(now, partner.retention_days)
    if rollups.rolled_until() < plan.cutoff:
        return "waits for roll-ups"
    rows = 0
    for partition in plan.drop:
        partitions.drop(partition)
    for partition in plan.trim:
        rows += retention.trim(partition, plan.cutoff)
    rows += rollups.trim(retention.cutoff(now, partner.rollup_retention_days))
    return f"dropped {len(plan.drop)} partitions, deleted {rows} rows" if plan.drop or rows else ""


DUTIES = (
    Duty("partitions", timedelta(hours=1), make_partitions),
    Duty("roll-ups", timedelta(minutes=1), roll_up),
    Duty("retention", timedelta(hours=1), apply_retention),
)
