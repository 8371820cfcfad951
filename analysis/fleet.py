"""The read path for the list of machines: newest sample and a day's sparkline of every machine, in fixed queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from collectors.models import Collector
from core.catalogue import SYSTEM

SPARK_HOURS = 24
SPARK_BUCKET = timedelta(minutes=30)
NEWEST = timedelta(days=1)
COLUMNS = (
    "cpu_idle", "mem_total_mb", "mem_used_mb", "disk_io_util", "disk_await_ms", "net_rx_mb", "net_tx_mb", "load_1min",
    "psi_cpu_some", "psi_memory_some", "psi_io_some",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """One machine with its newest sample of the last day (`values` is empty without one) and CPU busy % a half hour.

    `spark` has a value or None for each of the last 48 half hours, oldest first.
    """

    collector: Collector
    state: str
    sampled_at: datetime | None = None
    values: dict[str, float | None] = field(default_factory=dict)
    spark: list[float | None] = field(default_factory=list)

    @property
    def cpu_percent(self) -> float | None:
        idle = self.values.get("cpu_idle")
        return None if idle is None else 100.0 - idle

    @property
    def memory_percent(self) -> float | None:
        used, total = self.values.get("mem_used_mb"), self.values.get("mem_total_mb")
        return 100.0 * used / total if used is not None and total else None


def machines(now: datetime) -> list[Machine]:
    """Every machine, by name; three queries whatever their number."""
    newest, sparks = _newest(now), _sparks(now)
    empty: list[float | None] = [None] * _bucket_count()
    found = []
    for collector in Collector.objects.filter(active=True):
        sampled_at, values = newest.get(collector.pk, (None, {}))
        spark = sparks.get(collector.pk, empty)
        found.append(Machine(collector, collector.state(now), sampled_at, values, spark))
    return found


def _newest(now: datetime) -> dict[int, tuple[datetime, dict[str, float | None]]]:
    names = ", ".join(f'sample."{SYSTEM.metric(name).name}"' for name in COLUMNS)
    query = f"""
        SELECT machine.id, sample."timestamp", {names} FROM collectors_collector machine
        JOIN LATERAL (
            SELECT * FROM "{SYSTEM.table}" WHERE collector_id = machine.id AND "timestamp" >= %s AND "timestamp" < %s
            ORDER BY "timestamp" DESC LIMIT 1
        ) sample ON true
    """  # noqa: S608  # names come from the catalogue
    rows = _query(query, [now - NEWEST, now + timedelta(hours=1)])
    return {pk: (moment, dict(zip(COLUMNS, values, strict=True))) for pk, moment, *values in rows}


def _sparks(now: datetime) -> dict[int, list[float | None]]:
    """Machine by machine, because a month's partition has many days of all of them."""
    start = now - timedelta(hours=SPARK_HOURS)
    query = f"""
        SELECT machine.id, spark.* FROM collectors_collector machine CROSS JOIN LATERAL (
            SELECT date_bin(%s, "timestamp", %s) AS bucket, 100 - avg(cpu_idle) FROM "{SYSTEM.table}"
            WHERE collector_id = machine.id AND "timestamp" >= %s AND "timestamp" < %s GROUP BY bucket
        ) spark
    """  # noqa: S608
    sparks: dict[int, list[float | None]] = {}
    for pk, bucket, busy in _query(query, [SPARK_BUCKET, start, start, now]):
        sparks.setdefault(pk, [None] * _bucket_count())[(bucket - start) // SPARK_BUCKET] = busy
    return sparks


def _bucket_count() -> int:
    return int(timedelta(hours=SPARK_HOURS) / SPARK_BUCKET)


def _query(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
