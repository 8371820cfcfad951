"""Small uploads: 5-row batches of all `system` columns from four clients, against bare PostgreSQL in the same run.

Usage: python -m bench.upload [--clients 4] [--uploads 400]. Goal: p95 under 50 ms with four clients.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import http.client
import io
import multiprocessing
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.batch import Table, encode
from core.catalogue import SYSTEM
from tests.live.portal import RunningPortal, running_portal

ROWS = 5
GOAL_MS = 50.0
NEWEST = datetime.now(UTC).replace(microsecond=0)
BARE_OFFSET = timedelta(milliseconds=500)
WARM_UP = 20
Sender = Callable[[int], None]
Results: TypeAlias = "multiprocessing.Queue[tuple[float, float]]"


def batch(client: int, number: int, offset: timedelta = timedelta()) -> dict[str, list[Any]]:
    """Five samples at instants that no other batch of the run has."""
    start = NEWEST - timedelta(hours=2 * client, seconds=ROWS * (number + 1)) + offset
    moments = [start + timedelta(seconds=second) for second in range(ROWS)]
    values: dict[str, list[Any]] = {metric.name: [12.345] * ROWS for metric in SYSTEM.metrics if metric.is_number}
    return {"timestamp": moments, **values, "cpu_cores": [[1.5, 2.5]] * ROWS}


@contextlib.contextmanager
def portal_sender(portal: RunningPortal, client: int) -> Iterator[Sender]:
    """Uploads as the agent does: gzip, a batch id, one kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=30)
    headers = {
        "Host": "alpha.localhost", "Authorization": f"Bearer {portal.keys['alpha']}", "Content-Type": "text/csv",
        "Content-Encoding": "gzip",
    }  # fmt: skip

    def send(number: int) -> None:
        body = gzip.compress(encode(Table(SYSTEM, batch(client, number))).encode(), 1)
        connection.request("POST", "/api/v1/upload", body, {**headers, "Batch-Id": uuid.uuid4().hex})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 201:
            raise SystemExit(f"upload answered {answer.status}")

    with contextlib.closing(connection):
        yield send


@contextlib.contextmanager
def bare_sender(portal: RunningPortal, client: int) -> Iterator[Sender]:
    """The same statements on a bare connection: ledger, COPY, last_seen, audit, commit."""
    with contextlib.closing(psycopg2.connect(host=portal.socket, user="postgres")) as connection:
        cursor = connection.cursor()
        cursor.execute("SET search_path = alpha")
        cursor.execute("SELECT id FROM collectors_collector")
        (machine,) = cursor.fetchone() or (0,)

        def send(number: int) -> None:
            now = datetime.now(UTC)
            columns = batch(client, number, BARE_OFFSET)
            cursor.execute(
                "INSERT INTO analysis_batch"
                " (collector_id, batch_id, digest, records, duplicates, warnings, received_at)"
                " VALUES (%s, %s, %s, 5, 0, '[]', %s)",
                [machine, uuid.uuid4().hex, "0" * 64, now],
            )
            rows = "".join(
                "\t".join([str(machine), *map(_copy_text, row)]) + "\n" for row in zip(*columns.values(), strict=True)
            )
            names = ", ".join(f'"{name}"' for name in ["collector_id", *columns])
            cursor.copy_expert(f"COPY analysis_data ({names}) FROM STDIN", io.StringIO(rows))
            cursor.execute("UPDATE collectors_collector SET last_seen = %s WHERE id = %s", [now, machine])
            cursor.execute(
                'INSERT INTO accounts_auditevent (timestamp, event, "user", machine_id, records, status, detail)'
                " VALUES (%s, 'upload', '', 'server1', 5, 'success', '{}')",
                [now],
            )
            connection.commit()

        yield send


def _copy_text(value: object) -> str:
    return "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else str(value)


def client_process(kind: str, portal: RunningPortal, client: int, uploads: int, results: Results) -> None:
    sender = {"portal": portal_sender, "bare": bare_sender}[kind]
    with sender(portal, client) as send:
        for number in range(WARM_UP):
            send(number)
        for number in range(WARM_UP, WARM_UP + uploads):
            begun = time.perf_counter()
            send(number)
            results.put((begun, time.perf_counter()))


def measure(kind: str, portal: RunningPortal, clients: int, uploads: int) -> tuple[float, list[float]]:
    """Uploads a second over the run, and every latency in ms; the load ends by itself after clients × uploads."""
    results: Results = multiprocessing.Queue()
    arguments = [(kind, portal, client, uploads, results) for client in range(clients)]
    processes = [multiprocessing.Process(target=client_process, args=given) for given in arguments]
    for process in processes:
        process.start()
    spans = [results.get(timeout=120) for _ in range(clients * uploads)]
    for process in processes:
        process.join()
    begun, ended = min(span[0] for span in spans), max(span[1] for span in spans)
    return len(spans) / (ended - begun), [(end - start) * 1000 for start, end in spans]


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--uploads", type=int, default=400, help="of each client")
    options = parser.parse_args()
    with running_portal(workers=2) as portal:
        rate, latencies = measure("portal", portal, options.clients, options.uploads)
        bare_rate, bare_latencies = measure("bare", portal, options.clients, options.uploads)
    for name, per_second, found in (("portal", rate, latencies), ("bare PostgreSQL", bare_rate, bare_latencies)):
        print(
            f"{name:16} {per_second:7.0f} uploads/s   median {statistics.median(found):6.1f} ms"
            f"   p95 {percentile(found, 95):6.1f} ms   ({options.clients} clients, {ROWS}-row batches)"
        )
    print(f"ratio            {rate / bare_rate:7.2f} of bare PostgreSQL's rate with the same statements")
    verdict = "met" if percentile(latencies, 95) < GOAL_MS else "missed"
    print(f"goal             p95 under {GOAL_MS:.0f} ms: {verdict}")


if __name__ == "__main__":
    main()
