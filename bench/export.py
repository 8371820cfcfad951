"""Exports of a week of many machines over HTTP, against a bare COPY of the same rows in the same run.

Usage: python -m bench.export [--machines 20] [--days 7]. Goals: CSV of all machines within 1.5 × the bare COPY;
one machine's week under 150 ms; flat memory.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import statistics
import sys
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.filling import PLAIN, SCHEMA, filled_portal, midnight, portal_processes
from core.batch import format_timestamp
from core.catalogue import SYSTEM
from tests.live.portal import RunningPortal

GOAL_RATIO, GOAL_MS = 1.5, 150.0
ROUNDS = 3
READ_BYTES = 1 << 20


def bare_copy(portal: RunningPortal, start: datetime, end: datetime) -> int:
    """The same rows and columns by one COPY to a client that drops them; its bytes."""
    columns = ", ".join(f'sample."{name}"' for name in PLAIN)
    query = (
        f'SELECT sample."timestamp", machine.machine_id, {columns} FROM "{SYSTEM.table}" sample'
        " JOIN collectors_collector machine ON machine.id = sample.collector_id"
        ' WHERE sample."timestamp" >= %s AND sample."timestamp" < %s'
    )
    sink = Sink()
    with contextlib.closing(psycopg2.connect(host=portal.socket, user="postgres")) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SET search_path = {SCHEMA}")
        bound = cursor.mogrify(query, [start, end]).decode()
        cursor.copy_expert(f"COPY ({bound}) TO STDOUT (FORMAT csv)", sink)
    return sink.size


class Sink:
    """A file that counts."""

    size = 0

    def write(self, data: bytes) -> int:
        self.size += len(data)
        return len(data)


def download(portal: RunningPortal, cookie: str, start: datetime, end: datetime, **more: str) -> int:
    """One export over HTTP; its bytes."""
    asked = {"start_date": format_timestamp(start), "end_date": format_timestamp(end), "metrics": ",".join(PLAIN)}
    path = f"/api/v1/performance/export?{urllib.parse.urlencode({**asked, **more})}"
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=600)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Host": f"{SCHEMA}.localhost:{portal.port}", "Cookie": cookie})
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"export answered {answer.status}: {answer.read()[:500]!r}")
        return sum(map(len, iter(lambda: answer.read(READ_BYTES), b"")))


@dataclass(frozen=True)
class Measured:
    """Median of the rounds, and the bytes of one."""

    seconds: float
    size: int

    def __str__(self) -> str:
        return f"{self.seconds:7.2f} s   {self.size / 1e6:7.1f} MB"


def measure(*ways: Callable[[], int]) -> list[Measured]:
    """Each way in turns, so that all see the same neighbours."""
    seconds: list[list[float]] = [[] for _ in ways]
    sizes = [0] * len(ways)
    for _ in range(ROUNDS):
        for at, way in enumerate(ways):
            begun = time.perf_counter()
            sizes[at] = way()
            seconds[at].append(time.perf_counter() - begun)
    return [Measured(statistics.median(times), size) for times, size in zip(seconds, sizes, strict=True)]


def peaks_mb() -> dict[int, float]:
    """Process of the portal → the largest resident memory it ever had, in MB (proc(5), VmHWM)."""
    found = {}
    for pid in portal_processes():
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            found[pid] = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    return found


def growth_mb(before: dict[int, float]) -> tuple[float, float]:
    """Of the process that grew most since: by how much, and to what."""
    return max((peak - before.get(pid, peak), peak) for pid, peak in peaks_mb().items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=20)
    parser.add_argument("--days", type=int, default=7)
    options = parser.parse_args()
    with filled_portal(options.machines, options.days) as portal:
        compare(portal, midnight() - timedelta(days=options.days), midnight())


def compare(portal: RunningPortal, start: datetime, end: datetime) -> None:
    cookie = portal.sign_in(SCHEMA, "analyst")
    week = {"machine_id": "bench000", "start_date": format_timestamp(max(start, end - timedelta(days=7)))}
    download(portal, cookie, start, end, **week)
    idle = peaks_mb()
    bare, csv = measure(lambda: bare_copy(portal, start, end), lambda: download(portal, cookie, start, end))
    print(f"bare COPY    {bare}")
    print(f"CSV          {csv}   the worker grew by {growth_mb(idle)[0]:.0f} MB, to {growth_mb(idle)[1]:.0f} MB")
    ratio = csv.seconds / bare.seconds
    print(f"ratio        {ratio:7.2f} × bare COPY; goal {GOAL_RATIO}: {verdict(ratio, GOAL_RATIO)}")
    idle = peaks_mb()
    (parquet,) = measure(lambda: download(portal, cookie, start, end, format="parquet"))
    print(f"Parquet      {parquet}   the worker grew by {growth_mb(idle)[0]:.0f} MB, to {growth_mb(idle)[1]:.0f} MB")
    (one,) = measure(lambda: download(portal, cookie, start, end, **week))
    milliseconds = one.seconds * 1000
    print(f"one machine  {milliseconds:7.0f} ms, its week; goal {GOAL_MS:.0f} ms: {verdict(milliseconds, GOAL_MS)}")


def verdict(value: float, goal: float) -> str:
    return "met" if value < goal else "missed"


if __name__ == "__main__":
    main()
