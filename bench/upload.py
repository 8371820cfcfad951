"""Small uploads: 5-row batches of all `system` columns of many machines, against bare PostgreSQL in the same run.

Usage: python -m bench.upload [--clients 4] [--uploads 400] [--machines 100] [--partners 4] [--rounds 3].
The goal is 1,000 a second on two quiet cores that client and database share. Batches are made before the clock starts;
the portal and the bare connections take turns, and the ratio is that of the medians.
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
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import portals
from bench.portals import Machine, percentile
from core.batch import Table, encode
from core.catalogue import SYSTEM
from tests.live.portal import RunningPortal, running_portal

ROWS = 5
GOAL_PER_SECOND = 1000
NEWEST = datetime.now(UTC).replace(microsecond=0)
WARM_UP = 20
Job = Callable[[], None]
Results: TypeAlias = "multiprocessing.Queue[list[tuple[float, float]]]"


def batch(number: int) -> dict[str, list[Any]]:
    """Five samples at instants that no other batch of a machine has."""
    moments = [NEWEST - timedelta(seconds=ROWS * number + second) for second in range(ROWS)]
    values: dict[str, list[Any]] = {metric.name: [12.345] * ROWS for metric in SYSTEM.metrics if metric.is_number}
    return {"timestamp": moments, **values, "cpu_cores": [[1.5, 2.5]] * ROWS}


@contextlib.contextmanager
def portal_jobs(portal: RunningPortal, machines: Sequence[Machine], numbers: range) -> Iterator[list[Job]]:
    """Uploads as the agent does: gzip, a batch id, one kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=30)

    def job(number: int) -> Job:
        machine = machines[number % len(machines)]
        body = gzip.compress(encode(Table(SYSTEM, batch(number))).encode(), 1)
        headers = {
            "Host": f"{machine.schema}.localhost", "Authorization": f"Bearer {machine.key}",
            "Content-Type": "text/csv", "Content-Encoding": "gzip", "Batch-Id": uuid.uuid4().hex,
        }  # fmt: skip
        return lambda: post(connection, body, headers)

    with contextlib.closing(connection):
        yield [job(number) for number in numbers]


def post(connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> None:
    connection.request("POST", "/api/v1/upload", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 201:
        raise SystemExit(f"upload answered {answer.status}: {text[:200]!r}")


@contextlib.contextmanager
def bare_jobs(portal: RunningPortal, machines: Sequence[Machine], numbers: range) -> Iterator[list[Job]]:
    """The same statements on a bare connection: ledger, COPY, last_seen, audit, commit."""
    with contextlib.closing(psycopg2.connect(host=portal.socket, user="postgres")) as connection:

        def job(number: int) -> Job:
            machine, columns = machines[number % len(machines)], batch(number)
            texts = [[str(machine.pk)] * ROWS, *([_copy_text(cell) for cell in cells] for cells in columns.values())]
            rows = "".join("\t".join(row) + "\n" for row in zip(*texts, strict=True))
            names = ", ".join(f'"{name}"' for name in ["collector_id", *columns])
            return lambda: store_bare(connection, machine, names, rows)

        yield [job(number) for number in numbers]


def store_bare(connection: Any, machine: Machine, names: str, rows: str) -> None:
    cursor, now, schema = connection.cursor(), datetime.now(UTC), machine.schema
    cursor.execute(
        f"INSERT INTO {schema}.analysis_batch"
        " (collector_id, batch_id, digest, records, duplicates, warnings, received_at)"
        " VALUES (%s, %s, %s, 5, 0, '[]', %s)",
        [machine.pk, uuid.uuid4().hex, "0" * 64, now],
    )
    cursor.copy_expert(f"COPY {schema}.analysis_data ({names}) FROM STDIN", io.StringIO(rows))
    cursor.execute(f"UPDATE {schema}.collectors_collector SET last_seen = %s WHERE id = %s", [now, machine.pk])
    cursor.execute(
        f'INSERT INTO {schema}.accounts_auditevent (timestamp, event, "user", machine_id, records, status, detail)'
        " VALUES (%s, 'upload', '', %s, 5, 'success', '{}')",
        [now, machine.machine_id],
    )
    connection.commit()


def _copy_text(value: object) -> str:
    return "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else str(value)


SUBJECTS = {"portal": portal_jobs, "bare": bare_jobs}


def client_process(
    kind: str, portal: RunningPortal, machines: Sequence[Machine], numbers: range, start: Any, results: Results
) -> None:
    with SUBJECTS[kind](portal, machines, numbers) as jobs:
        for job in jobs[:WARM_UP]:
            job()
        start.wait(60)
        spans = []
        for job in jobs[WARM_UP:]:
            begun = time.perf_counter()
            job()
            spans.append((begun, time.perf_counter()))
    results.put(spans)


def measure(
    kind: str, portal: RunningPortal, machines: Sequence[Machine], clients: int, numbers: range
) -> tuple[float, list[float]]:
    """Uploads a second over the run, and every latency in ms; each client has machines of its own."""
    results: Results = multiprocessing.Queue()
    start = multiprocessing.Barrier(clients)
    processes = [
        multiprocessing.Process(
            target=client_process, args=(kind, portal, machines[client::clients], numbers, start, results)
        )
        for client in range(clients)
    ]
    for process in processes:
        process.start()
    spans = [span for _ in processes for span in results.get(timeout=120)]
    for process in processes:
        process.join()
    begun, ended = min(span[0] for span in spans), max(span[1] for span in spans)
    return len(spans) / (ended - begun), [(end - start) * 1000 for start, end in spans]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--uploads", type=int, default=400, help="of each client in each round")
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--partners", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, list[tuple[float, list[float]]]] = {kind: [] for kind in SUBJECTS}
    with running_portal(workers=2) as portal:
        portals.connect(portal)
        machines = portals.fleet(portal, options.partners, options.machines)
        numbers = iter(range(2 * options.rounds))
        for _ in range(options.rounds):
            for kind in SUBJECTS:
                first = next(numbers) * (options.uploads + WARM_UP)
                batches = range(first, first + options.uploads + WARM_UP)
                found[kind].append(measure(kind, portal, machines, options.clients, batches))
    report(found, options.clients)


def report(found: dict[str, list[tuple[float, list[float]]]], clients: int) -> None:
    rates = {kind: statistics.median(rate for rate, _ in rounds) for kind, rounds in found.items()}
    for kind, rounds in found.items():
        latencies = [latency for _, values in rounds for latency in values]
        print(
            f"{kind:8} {rates[kind]:7.0f} uploads/s   median {statistics.median(latencies):6.1f} ms"
            f"   p95 {percentile(latencies, 95):6.1f} ms   ({clients} clients, {ROWS}-row batches)"
        )
    print(f"ratio    {rates['portal'] / rates['bare']:7.2f} of bare PostgreSQL's rate with the same statements")
    met = "met" if rates["portal"] >= GOAL_PER_SECOND else "missed"
    print(f"goal     {GOAL_PER_SECOND} uploads/s on two quiet cores: {met}")


if __name__ == "__main__":
    main()
