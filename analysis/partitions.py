"""Monthly partitions: a plan that can be printed, and its application. Works on the current tenant's schema."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection, transaction
from psycopg2 import errors as postgres

from analysis.months import Month
from core.catalogue import DATASETS

MONTHS_AHEAD = 3
LOCK_TIMEOUT = "500ms"
ATTEMPTS = 40
_ADVISORY = 0x70657266  # "perf"


@dataclass(frozen=True)
class Partition:
    """One month of one sample table."""

    table: str
    month: Month

    @property
    def name(self) -> str:
        return self.table + self.month.suffix

    def __str__(self) -> str:
        return self.name


def existing() -> set[Partition]:
    """The partitions attached in the current schema."""
    query = """
        SELECT parent.relname, child.relname FROM pg_inherits
        JOIN pg_class parent ON parent.oid = inhparent JOIN pg_class child ON child.oid = inhrelid
        WHERE parent.relnamespace = to_regnamespace(current_schema()::text) AND parent.relname = ANY(%s)
          AND parent.relkind = 'p'
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [[dataset.table for dataset in DATASETS.values()]])
        found = [(table, Month.of_partition(name)) for table, name in cursor.fetchall()]
    return {Partition(table, month) for table, month in found if month}


def plan_ahead(now: datetime) -> list[Partition]:
    """What is missing of this month and the next three."""
    this = Month.of(now)
    return plan(this.plus(ahead) for ahead in range(MONTHS_AHEAD + 1))


def plan(months: Iterable[Month]) -> list[Partition]:
    """What is missing of those months, all tables."""
    wanted = [Partition(dataset.table, month) for month in sorted(set(months)) for dataset in DATASETS.values()]
    there = existing()
    return [partition for partition in wanted if partition not in there]


def create(partitions: Iterable[Partition]) -> None:
    """Make and attach them; already made ones are passed over, so two workers may do it at once."""
    for partition in partitions:
        with_lock_timeout(lambda partition=partition: _create(partition))  # type: ignore[misc]  # bound now


def drop(partition: Partition) -> None:
    """Drop a whole month."""
    with_lock_timeout(lambda: execute(f'DROP TABLE IF EXISTS "{partition.name}"'))


def with_lock_timeout(change: Callable[[], None]) -> None:
    """Run DDL in its own transaction, one worker a schema; a lock that is held is given up soon and tried again.

    Waiting for a lock would hold up every upload behind it (trap 33).
    """
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                execute("SELECT pg_advisory_xact_lock(%s, hashtext(current_schema()::text))", [_ADVISORY])
                change()
            return
        except OperationalError as error:
            if not isinstance(error.__cause__, postgres.LockNotAvailable) or attempt == ATTEMPTS - 1:
                raise
            time.sleep(min(0.05 * 2**attempt, 1.0))


def _create(partition: Partition) -> None:
    """CREATE LIKE then ATTACH: it takes no lock that stops an INSERT, as PARTITION OF does (trap 33)."""
    if partition in existing():
        return
    month = partition.month
    execute(f'DROP TABLE IF EXISTS "{partition.name}"')  # never attached: of a run that was killed
    execute(f'CREATE TABLE "{partition.name}" (LIKE "{partition.table}" INCLUDING ALL)')
    execute(
        f'ALTER TABLE "{partition.table}" ATTACH PARTITION "{partition.name}" '
        f"FOR VALUES FROM ('{month.start:%Y-%m-%d %H:%M:%S+00}') TO ('{month.end:%Y-%m-%d %H:%M:%S+00}')"
    )


def execute(sql: str, parameters: Sequence[int] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
