"""The read path for the list of machines: their newest samples, and a day's sparklines of those that are shown.

Fixed queries whatever the number of machines. Of a day only what is not rolled up yet is read from raw samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from analysis import rollups, rollups_tables
from collectors.models import Collector
from core.catalogue import DATASETS, SYSTEM

SPARK_HOURS = 24
NEWEST = timedelta(days=1)
FILESYSTEMS = DATASETS["filesystems"]
COLUMNS = (
    "cpu_idle", "mem_total_mb", "mem_used_mb", "disk_io_util", "disk_await_ms", "net_rx_mb", "net_tx_mb", "load_1min",
    "psi_cpu_some", "psi_memory_some", "psi_io_some",
)  # fmt: skip
_HOUR = timedelta(hours=1)

Line = list[float | None]


@dataclass(frozen=True)
class Filesystem:
    """The fullest of a machine, in its newest sample of the last day."""

    mount: str
    used_percent: float
    available_mb: float | None


@dataclass(frozen=True)
class Machine:
    """One machine with its newest sample of the last day; `values` is empty without one.

    alerts: severities of its open alerts, the worst first, where the caller knows them.
    """

    collector: Collector
    state: str
    sampled_at: datetime | None = None
    values: dict[str, float | None] = field(default_factory=dict)
    fullest: Filesystem | None = None
    alerts: Sequence[str] = ()

    @property
    def cpu_percent(self) -> float | None:
        idle = self.values.get("cpu_idle")
        return None if idle is None else 100.0 - idle

    @property
    def memory_percent(self) -> float | None:
        used, total = self.values.get("mem_used_mb"), self.values.get("mem_total_mb")
        return 100.0 * used / total if used is not None and total else None


@dataclass(frozen=True)
class Sparks:
    """Means of CPU busy and memory used in percent, one for each of the last 24 hours of the clock, oldest first."""

    cpu: Line
    memory: Line


def machines(now: datetime) -> list[Machine]:
    """Every active machine, by name; three queries."""
    newest, fullest = _newest(now), _fullest(now)
    found = []
    for collector in Collector.objects.filter(active=True):
        sampled_at, values = newest.get(collector.pk, (None, {}))
        found.append(Machine(collector, collector.state(now), sampled_at, values, fullest.get(collector.pk)))
    return found


def sparks(now: datetime, collectors: Sequence[int]) -> dict[int, Sparks]:
    """By collector id, for each that was asked for; two queries."""
    start = rollups.floor(now) - (SPARK_HOURS - 1) * _HOUR
    found = {pk: Sparks([None] * SPARK_HOURS, [None] * SPARK_HOURS) for pk in collectors}
    until = max(start, min(rollups.rolled_until(), now))
    for pk, hour, cpu, memory in _query(_SPARKS, [[*found], start, until, [*found], until, now]):
        at = (hour - start) // _HOUR
        found[pk].cpu[at], found[pk].memory[at] = cpu, memory
    return found


_SPARKS = f"""
    SELECT collector_id, hour, 100 - cpu_idle_mean, 100 * mem_used_mb_mean / nullif(mem_total_mb_mean, 0)
    FROM "{rollups_tables.table(SYSTEM)}" WHERE collector_id = ANY(%s) AND hour >= %s AND hour < %s
    UNION ALL
    SELECT machine.id, young.* FROM unnest(%s::bigint[]) machine (id) CROSS JOIN LATERAL (
        SELECT {rollups_tables.HOUR} AS hour, 100 - avg(cpu_idle), 100 * avg(mem_used_mb) / nullif(avg(mem_total_mb), 0)
        FROM "{SYSTEM.table}" WHERE collector_id = machine.id AND "timestamp" >= %s AND "timestamp" < %s GROUP BY 1
    ) young
"""  # noqa: S608  # names come from the catalogue
"""Machine by machine, because a month's partition has many days of all of them."""


def _newest(now: datetime) -> dict[int, tuple[datetime, dict[str, float | None]]]:
    names = ", ".join(f'sample."{SYSTEM.metric(name).name}"' for name in COLUMNS)
    query = f"""
        SELECT machine.id, sample."timestamp", {names} FROM collectors_collector machine
        JOIN LATERAL (
            SELECT * FROM "{SYSTEM.table}" WHERE collector_id = machine.id AND "timestamp" >= %s AND "timestamp" < %s
            ORDER BY "timestamp" DESC LIMIT 1
        ) sample ON true WHERE machine.active
    """  # noqa: S608  # names come from the catalogue
    rows = _query(query, _last_day(now))
    return {pk: (moment, dict(zip(COLUMNS, values, strict=True))) for pk, moment, *values in rows}


def _fullest(now: datetime) -> dict[int, Filesystem]:
    query = f"""
        SELECT machine.id, sample.mount, sample.used_percent, sample.available_mb FROM collectors_collector machine
        JOIN LATERAL (
            SELECT "timestamp" FROM "{FILESYSTEMS.table}"
            WHERE collector_id = machine.id AND "timestamp" >= %s AND "timestamp" < %s ORDER BY "timestamp" DESC LIMIT 1
        ) newest ON true
        JOIN LATERAL (
            SELECT * FROM "{FILESYSTEMS.table}" WHERE collector_id = machine.id AND "timestamp" = newest."timestamp"
            AND "timestamp" >= %s AND "timestamp" < %s AND used_percent IS NOT NULL
            ORDER BY used_percent DESC, mount LIMIT 1
        ) sample ON true WHERE machine.active
    """  # noqa: S608  # names come from the catalogue
    return {pk: Filesystem(*values) for pk, *values in _query(query, [*_last_day(now), *_last_day(now)])}


def _last_day(now: datetime) -> list[datetime]:
    """Half open, and constant, so that only the newest partitions are looked at."""
    return [now - NEWEST, now + _HOUR]


def _query(sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
