"""Small uploads: 5-row batches of all `system` columns of many machines, against bare PostgreSQL in the same run.

Usage: python -m bench.upload [--clients 4] [--uploads 400] [--machines 1000] [--partners 10] [--rounds 3] [--rate 200].
The goal is 1,000 a second on two quiet cores that client and database share, and a p95 under 25 ms at a steady 200 a
second (--rate, of all clients together, each at an even pace; a latency counts from when its upload was due). Batches
are made before the clock starts; the portal and the bare connections take turns, and the ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import itertools
import multiprocessing
import random
import re
import socket
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
GOAL_P95_MS, STEADY = 25.0, 200
WARM_UP = 20
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
Job = Callable[[], None]
Results: TypeAlias = "multiprocessing.Queue[list[tuple[float, float]]]"


def batch(number: int) -> dict[str, list[Any]]:
    """Five samples at instants that no other batch of a machine has."""
    moments = [NEWEST - timedelta(seconds=ROWS * number + second) for second in range(ROWS)]
    values: dict[str, list[Any]] = {metric.name: [12.345] * ROWS for metric in SYSTEM.metrics if metric.is_number}
    return {"timestamp": moments, **values, "cpu_cores": [[1.5, 2.5]] * ROWS}


@contextlib.contextmanager
def portal_jobs(portal: RunningPortal, machines: Sequence[Machine], numbers: range) -> Iterator[list[Job]]:
    """Uploads as the agent does: gzip, a batch id, one kept connection. The bytes of the requests are made before."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=30) as wire:

        def job(number: int) -> Job:
            turn, index = divmod(number, len(machines))
            request = http_request(machines[index], turn)
            return lambda: exchange(wire, request)

        yield [job(number) for number in numbers]


def http_request(machine: Machine, number: int) -> bytes:
    body = gzip.compress(encode(Table(SYSTEM, batch(number))).encode(), 1)
    lines = (
        "POST /api/v1/upload HTTP/1.1", f"Host: {machine.schema}.localhost", f"Authorization: Bearer {machine.key}",
        "Content-Type: text/csv", "Content-Encoding: gzip", f"Batch-Id: {uuid.uuid4().hex}",
        f"Content-Length: {len(body)}", "Accept-Encoding: identity",
    )  # fmt: skip
    return "\r\n".join([*lines, "", ""]).encode() + body


def exchange(wire: socket.socket, request: bytes) -> None:
    """Send a request, take its whole answer. Python's own client would take a third of the worker's CPU time."""
    wire.sendall(request)
    answer = wire.recv(65536)
    while not is_whole(answer):
        piece = wire.recv(65536)
        if not piece:
            raise SystemExit(f"the portal closed the connection after {answer[:200]!r}")
        answer += piece
    if not answer.startswith(b"HTTP/1.1 201 "):
        raise SystemExit(f"upload answered {answer[:300]!r}")


def is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    return bool(end and length and len(body) >= int(length[1]))


@contextlib.contextmanager
def bare_jobs(portal: RunningPortal, machines: Sequence[Machine], numbers: range) -> Iterator[list[Job]]:
    """The same statements on a bare connection: ledger, COPY, last_seen, audit, commit."""
    with contextlib.closing(psycopg2.connect(host=portal.socket, user="postgres")) as connection:

        def job(number: int) -> Job:
            turn, index = divmod(number, len(machines))
            machine, columns = machines[index], batch(turn)
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
    kind: str, portal: RunningPortal, machines: Sequence[Machine], numbers: range, pace: float, start: Any,
    results: Results,
) -> None:  # fmt: skip
    """pace: seconds from one upload to the next; 0: as soon as the one before it is answered."""
    with SUBJECTS[kind](portal, machines, numbers) as jobs:
        for job in jobs[:WARM_UP]:
            job()
        start.wait(60)
        spans = []
        due = time.perf_counter() + random.random() * pace
        for job in jobs[WARM_UP:]:
            due = due + pace if pace else time.perf_counter()
            time.sleep(max(0.0, due - time.perf_counter()))
            job()
            spans.append((due, time.perf_counter()))
    results.put(spans)


def measure(
    kind: str, portal: RunningPortal, machines: Sequence[Machine], clients: int, numbers: range, rate: float = 0
) -> tuple[float, list[float]]:
    """Uploads a second over the run, and every latency in ms; each client has machines of its own.

    rate: how many a second they send together; 0: as fast as they can.
    """
    pace = clients / rate if rate else 0.0
    results: Results = multiprocessing.Queue()
    start = multiprocessing.Barrier(clients)
    processes = [
        multiprocessing.Process(
            target=client_process, args=(kind, portal, machines[client::clients], numbers, pace, start, results)
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
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--partners", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=STEADY, help="uploads a second of the steady part; 0: none")
    options = parser.parse_args()
    found: dict[str, list[tuple[float, list[float]]]] = {kind: [] for kind in SUBJECTS}
    with running_portal(workers=2) as portal:
        portals.connect(portal)
        machines = portals.fleet(portal, options.partners, options.machines)
        numbers = itertools.count()

        def batches(uploads: int) -> range:
            first = next(numbers) * (options.uploads + WARM_UP)
            return range(first, first + uploads + WARM_UP)

        for _ in range(options.rounds):
            for kind in SUBJECTS:
                found[kind].append(measure(kind, portal, machines, options.clients, batches(options.uploads)))
        report(found, options.clients)
        if options.rate:
            report_steady(*measure("portal", portal, machines, options.clients, batches(options.uploads), options.rate))


def report_steady(rate: float, latencies: list[float]) -> None:
    p95 = percentile(latencies, 95)
    print(f"steady   {rate:7.0f} uploads/s   median {statistics.median(latencies):6.1f} ms   p95 {p95:6.1f} ms")
    print(f"goal     p95 under {GOAL_P95_MS:.0f} ms at {STEADY} uploads/s: {'met' if p95 < GOAL_P95_MS else 'missed'}")


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
