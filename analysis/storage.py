"""What the samples of the current tenant take on disk, how fast it grows, and when the disk is full."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from core.catalogue import DATASETS

GROWTH_DAYS = 7
"""Growth is the mean of the last week."""


@dataclass(frozen=True)
class Size:
    """One sample table with its partitions, indexes included. rows and rows_per_day are counted, not estimated."""

    table: str
    rows: int
    bytes: int
    rows_per_day: float

    @property
    def bytes_per_row(self) -> float | None:
        return self.bytes / self.rows if self.rows else None

    @property
    def bytes_per_day(self) -> float:
        return self.rows_per_day * (self.bytes_per_row or 0.0)


def sizes(now: datetime) -> list[Size]:
    """Every sample table of the current schema; empty partitions' pages are counted too."""
    return [_size(dataset.table, now) for dataset in DATASETS.values()]


def _size(table: str, now: datetime) -> Size:
    since = now - timedelta(days=GROWTH_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0) FROM pg_inherits"
            " WHERE inhparent = to_regclass(%s)",
            [table],
        )
        (total,) = cursor.fetchone()
        cursor.execute(
            f'SELECT count(*), count(*) FILTER (WHERE "timestamp" >= %s AND "timestamp" < %s) FROM "{table}"',  # noqa: S608
            [since, now],
        )
        rows, recent = cursor.fetchone()
    return Size(table, rows, int(total), recent / GROWTH_DAYS)


def days_until_full(free_bytes: int, bytes_per_day: float) -> float | None:
    """None when nothing grows. Retention is left out: it only makes it later."""
    return free_bytes / bytes_per_day if bytes_per_day > 0 else None
