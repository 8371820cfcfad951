"""What has to be done now and then for every partner; `manage.py work` does it. A later duty is one more entry here.

Each works on the current tenant, is harmless when it is done twice, and says what it did, if anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts import seals, sessions
from analysis import partitions, retention, rollups
from partners.models import Partner

Stopped = Callable[[], bool]
_ADVISORY = 0x776F726B  # "work"


@dataclass(frozen=True)
class Duty:
    name: str
    every: timedelta
    run: Callable[[Partner, datetime, Stopped], str]


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


def seal_audit(partner: Partner, now: datetime, stopped: Stopped) -> str:
    """Says the chain's new head, so that it stands in a log elsewhere (`verify_audit --expect`)."""
    count = seals.seal()
    return f"{count} events, head {seals.head()}" if count else ""


def clear_sessions(partner: Partner, now: datetime, stopped: Stopped) -> str:
    count = sessions.clear(now)
    return f"{count} expired" if count else ""


DUTIES = (
    Duty("partitions", timedelta(hours=1), make_partitions),
    Duty("roll-ups", timedelta(minutes=1), roll_up),
    Duty("audit chain", timedelta(minutes=1), seal_audit),
    Duty("sessions", timedelta(hours=1), clear_sessions),
    Duty("retention", timedelta(hours=1), apply_retention),
)


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether no other process is at this duty for the current tenant; none begins while the block lasts."""
    key = [_ADVISORY, name]
    ((mine,),) = rollups.fetch("SELECT pg_try_advisory_lock(%s, hashtext(current_schema() || ' ' || %s))", key)
    try:
        yield mine
    finally:
        if mine:
            rollups.fetch("SELECT pg_advisory_unlock(%s, hashtext(current_schema() || ' ' || %s))", key)
