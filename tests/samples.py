"""Small CSV files and direct stores for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from analysis import retention, store
from core.batch import Table
from core.catalogue import DATASETS
from core.tenancy import schema_context
from tests.cast import Cast

MINUTE = timedelta(minutes=1)


def recent(hours: float = 1) -> datetime:
    """A whole minute some hours ago."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=hours)


def csv(start: datetime, values: Sequence[float], metric: str = "cpu_user", step: timedelta = MINUTE) -> bytes:
    rows = (f"{(start + step * index).isoformat()},{value}" for index, value in enumerate(values))
    return "\n".join([f"timestamp,{metric}", *rows, ""]).encode()


def upload(
    cast: Cast,
    columns: Mapping[str, list[Any]],
    *,
    dataset: str = "system",
    batch_id: str | None = None,
    window: tuple[datetime, datetime] | None = None,
) -> store.Stored:
    """Store columns (timestamp included) for the cast's machine, through the real write path."""
    with schema_context(cast.schema):
        collector = cast.collector()
        rows = store.rows_of(Table(DATASETS[dataset], columns), collector.pk)
        digest = store.digest([(dataset, rows.body)])
        kept = window or retention.window(timezone.now(), cast.partner.retention_days)
        return store.store(store.Upload(collector, batch_id or digest, digest, [rows], kept))


def minutes(start: datetime, count: int, step: timedelta = MINUTE) -> list[datetime]:
    return [start + step * index for index in range(count)]


def count(cast: Cast, table: str = "analysis_data") -> int:
    from django.db import connection

    with schema_context(cast.schema), connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table}"')
        return int(cursor.fetchone()[0])
