"""A portal with many machines' samples for the read benches: filled by PostgreSQL itself, read through our own code."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.catalogue import SYSTEM
from tests.live.portal import RunningPortal, running_portal

SCHEMA = "alpha"
PLAIN = (
    "cpu_user", "cpu_nice", "cpu_system", "cpu_iowait", "cpu_steal", "cpu_idle", "mem_total_mb", "mem_used_mb",
    "mem_free_mb", "mem_cached_mb", "swap_used_mb", "disk_read_mb", "disk_write_mb", "disk_read_iops",
    "disk_write_iops", "disk_io_util", "net_rx_mb", "net_tx_mb", "load_1min", "load_5min", "load_15min",
)  # fmt: skip
"""What a plain client measures: 21 metrics."""


@contextlib.contextmanager
def filled_portal(machines: int, days: int) -> Iterator[RunningPortal]:
    """A running portal whose partner has that many machines with a sample a minute, up to midnight of today.

    Inside the block Django works here too, on the same database.
    """
    with running_portal() as portal:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "core.settings",
            "DATABASE_URL": f"postgres://postgres@/{quote(portal.socket, safe='')}/postgres",
            "SECRET_KEY": "bench",
            "REQUEST_RATE": "1000000/m",
        }
        import django

        django.setup()
        begun = time.perf_counter()
        _fill(machines, midnight() - timedelta(days=days), midnight())
        seconds = time.perf_counter() - begun
        print(f"{machines} machines, {days} days: {machines * days * 1440:,} samples made in {seconds:.0f} s")
        yield portal


def midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _fill(machines: int, start: datetime, end: datetime) -> None:
    from django.db import connection
    from django_tenants.utils import schema_context

    from analysis import months, partitions
    from collectors.models import Collector

    with schema_context(SCHEMA):
        partitions.create(partitions.plan(months.between(start, end)))
        names = [f"bench{number:03}" for number in range(machines)]
        Collector.objects.bulk_create(Collector(machine_id=name, last_seen=end) for name in names)
        for pk in Collector.objects.filter(machine_id__in=names).values_list("pk", flat=True):
            with connection.cursor() as cursor:
                cursor.execute(_insert(), [pk, start, end - timedelta(minutes=1)])
        with connection.cursor() as cursor:
            cursor.execute(f'VACUUM ANALYZE "{SYSTEM.table}"')


def _insert() -> str:
    values = ", ".join("((random() * 10000)::int / 100.0)::real" for _ in PLAIN)
    columns = ", ".join(f'"{name}"' for name in PLAIN)
    return (
        f'INSERT INTO "{SYSTEM.table}" (collector_id, "timestamp", {columns})'
        f" SELECT %s, at, {values} FROM generate_series(%s::timestamptz, %s::timestamptz, interval '1 minute') at"
    )


def portal_processes() -> list[int]:
    """Process ids of the portal's web workers: what we started, below its own process, but PostgreSQL."""
    children: dict[int, list[int]] = {}
    names: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
            names[int(folder.name)] = name
            children.setdefault(int(rest.split()[1]), []).append(int(folder.name))
    found, waiting = [], [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        waiting += below
        found += [pid for pid in below if "postgres" not in names[pid]]
    return found
