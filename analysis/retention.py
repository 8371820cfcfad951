"""Deleting what is older than the partner keeps: whole months by DROP, the rest in small steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from analysis import partitions
from analysis.partitions import Partition
from collectors.models import Collector


@dataclass(frozen=True)
class Plan:
    """What retention would do: partitions to drop, and those of which the rows before `cutoff` go."""

    cutoff: datetime
    drop: tuple[Partition, ...]
    trim: tuple[Partition, ...]


def cutoff(now: datetime, retention_days: int) -> datetime:
    """The first instant that is kept."""
    return now - timedelta(days=retention_days)


def window(now: datetime, retention_days: int) -> tuple[datetime, datetime]:
    """Earliest and latest timestamp that an upload may have (trap 15)."""
    return cutoff(now, retention_days), now + timedelta(seconds=settings.UPLOAD_FUTURE_SECONDS)


def plan(now: datetime, retention_days: int) -> Plan:
    limit = cutoff(now, retention_days)
    there = sorted(partitions.existing(), key=lambda partition: (partition.month, partition.table))
    return Plan(
        limit,
        tuple(partition for partition in there if partition.month.end <= limit),
        tuple(partition for partition in there if partition.month.start < limit < partition.month.end),
    )


def trim(partition: Partition, limit: datetime) -> int:
    """Delete the rows before `limit`, one machine a transaction (the primary key finds them); returns how many."""
    return sum(_trim_machine(partition, limit, pk) for pk in Collector.objects.values_list("pk", flat=True))


def _trim_machine(partition: Partition, limit: datetime, collector_id: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f'DELETE FROM "{partition.name}" WHERE collector_id = %s AND "timestamp" < %s',  # noqa: S608  # our name
            [collector_id, limit],
        )
        return int(cursor.rowcount)
