"""Hourly roll-ups of the current tenant: which hours are due, and rolling them up.

Every hour before `rolled_until` is rolled up, but those that late data has marked stale; a reader takes these, and
what is younger, from the raw samples. So an answer never depends on how far this work has come.

An upload marks only what is late: an hour that ended OPEN ago or more. An hour is rolled up when it ended SETTLED ago,
and when every transaction of that time has ended, so that none can still add samples to it unmarked. The difference of
the two is how far clocks may be apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from analysis import rollups_tables
from analysis.rollups_tables import COVERAGE, ROLLED, STALE
from collectors.models import Collector
from core.catalogue import DATASETS
from core.tenancy import Statement
from partners.duties import StoppedError

HOUR = timedelta(hours=1)
OPEN, SETTLED = timedelta(minutes=5), timedelta(minutes=15)
STRIDE = timedelta(days=1)
MARKS = 1000
_ADVISORY = 0x726F6C6C  # "roll"
_MARK = f"INSERT INTO {STALE} SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[])"  # noqa: S608


@dataclass(frozen=True)
class Span:
    """Samples of one machine, from `first` to `last`, both included."""

    collector_id: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Due:
    """Hours of one machine, start ≤ hour < end."""

    collector_id: int
    start: datetime
    end: datetime


def never() -> bool:
    return False


def floor(moment: datetime) -> datetime:
    """The beginning of its hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def ceiling(moment: datetime) -> datetime:
    return -((-(moment - floor(moment))) // HOUR) * HOUR + floor(moment)


def stale_marks(spans: Iterable[Span], now: datetime) -> list[Statement]:
    """For the transaction that stores samples: their hours are to be rolled up again, where they are late."""
    late = [span for span in spans if floor(span.first) + HOUR <= now - OPEN]
    if not late:
        return []
    columns = [[span.collector_id for span in late], [span.first for span in late], [span.last for span in late]]
    return [(_MARK, columns)]


def mark_stale(spans: Iterable[Span], now: datetime) -> None:
    for sql, values in stale_marks(spans, now):
        execute(sql, values)


def refresh(now: datetime, stopped: Callable[[], bool] = never) -> int:
    """Roll up what is due; returns the hours of machines that were. Nothing while another process is at it.

    Each step is a transaction of its own: a process that is killed loses one step, and the next goes on there.
    """
    hours = 0
    for step in (_advance, _recompute):
        while (done := _alone(step, now, stopped)) is not None:
            hours += done
    return hours


def trim(limit: datetime) -> int:
    """Delete the roll-ups before `limit`, one machine a transaction; returns how many rows."""
    names = [rollups_tables.table(dataset) for dataset in DATASETS.values()] + [COVERAGE]
    machines = list(Collector.objects.values_list("pk", flat=True))
    query = 'DELETE FROM "{}" WHERE collector_id = %s AND hour < %s'
    return sum(execute(query.format(name), [machine, limit]) for machine in machines for name in names)


def rolled_until() -> datetime:
    """The first hour that is not rolled up yet."""
    ((until,),) = fetch(f"SELECT until FROM {ROLLED}", [])  # noqa: S608
    return until  # type: ignore[no-any-return]  # one row, one instant


Step = Callable[[datetime, Callable[[], bool]], int | None]


def _alone(step: Step, now: datetime, stopped: Callable[[], bool]) -> int | None:
    """One step in a transaction; None when there is nothing left for it, or another process has the tenant."""
    with transaction.atomic():
        ((mine,),) = fetch("SELECT pg_try_advisory_xact_lock(%s, hashtext(current_schema()::text))", [_ADVISORY])
        return step(now, stopped) if mine else None


def _advance(now: datetime, stopped: Callable[[], bool]) -> int | None:
    """Roll up the hours that have settled since the last time, a stride of all machines."""
    start = rolled_until()
    end = min(_settled(now), start + STRIDE)
    if end <= start:
        return None
    machines = Collector.objects.filter(last_seen__gte=start - HOUR).values_list("pk", flat=True)
    hours = _roll([Due(machine, start, end) for machine in machines], stopped)
    execute(f"UPDATE {ROLLED} SET until = %s", [end])  # noqa: S608
    return hours


def _settled(now: datetime) -> datetime:
    """The end of the last hour to which nobody can add unmarked."""
    ((oldest,),) = fetch(
        "SELECT min(xact_start) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
        [],
    )
    return floor(min(now, oldest or now) - SETTLED)


def _recompute(now: datetime, stopped: Callable[[], bool]) -> int | None:
    """Take marks and roll up their hours again; hours that are not rolled up yet will be anyway."""
    marks = fetch(
        f"DELETE FROM {STALE} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {STALE} LIMIT %s))"  # noqa: S608
        " RETURNING collector_id, first_at, last_at",
        [MARKS],
    )
    until = rolled_until()
    return _roll(due([Span(*mark) for mark in marks], until), stopped) if marks else None


def due(spans: Iterable[Span], until: datetime) -> list[Due]:
    """Whole hours before `until` that the spans touch, each once."""
    found: list[Due] = []
    for span in sorted(spans, key=lambda span: (span.collector_id, span.first)):
        start, end = floor(span.first), min(floor(span.last) + HOUR, until)
        if start >= end:
            continue
        before = found[-1] if found else None
        if before and before.collector_id == span.collector_id and before.end >= start:
            found[-1] = Due(before.collector_id, before.start, max(before.end, end))
        else:
            found.append(Due(span.collector_id, start, end))
    return found


def _roll(wanted: Sequence[Due], stopped: Callable[[], bool]) -> int:
    for one in wanted:
        if stopped():
            raise StoppedError
        span = [one.collector_id, one.start, one.end]
        for dataset in DATASETS.values():
            if execute(rollups_tables.upsert_coverage(dataset), [dataset.name, one.collector_id, *span]):
                execute(rollups_tables.upsert(dataset), span)
    return sum((one.end - one.start) // HOUR for one in wanted)


def execute(sql: str, parameters: Sequence[Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return int(cursor.rowcount)


def fetch(sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
