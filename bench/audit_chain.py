"""What the audit log's hash chain costs a small upload: without, with a row that waits, and chained on the spot.

Usage: python -m bench.audit_chain [--clients 4] [--uploads 400] [--rounds 3]. Plain SQL of one tenant: ledger row,
COPY of five samples, audit row, commit. The variants take turns; the medians of the rounds count.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import statistics
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.live.portal import running_portal

ROWS = 5
TRIGGER = "ALTER TABLE accounts_auditevent {} TRIGGER audit_awaits_seal"
CHAIN = """
CREATE TABLE bench_chain (id bigserial PRIMARY KEY, digest text);
CREATE FUNCTION bench_chain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1);
    INSERT INTO bench_chain (digest) VALUES (encode(sha256(convert_to(NEW::text || coalesce(
        (SELECT digest FROM bench_chain ORDER BY id DESC LIMIT 1), ''), 'UTF8')), 'hex'));
    RETURN NULL;
END $$;
CREATE TRIGGER bench_chain AFTER INSERT ON accounts_auditevent FOR EACH ROW EXECUTE FUNCTION bench_chain()
"""
NO_CHAIN = "DROP TABLE bench_chain; DROP FUNCTION bench_chain CASCADE"
VARIANTS = {
    "no chain": (TRIGGER.format("DISABLE"), TRIGGER.format("ENABLE")),
    "waits for its seal": ("SELECT 1", "SELECT 1"),
    "chained on the spot": (f"{TRIGGER.format('DISABLE')}; {CHAIN}", f"{NO_CHAIN}; {TRIGGER.format('ENABLE')}"),
}


def connect(socket: str) -> Any:
    connection = psycopg2.connect(host=socket, user="postgres", options="-c search_path=alpha")
    return contextlib.closing(connection)


def run_sql(socket: str, statements: str) -> None:
    with connect(socket) as connection:
        connection.cursor().execute(statements)
        connection.commit()


def upload(cursor: Any, machine: int, start: datetime) -> None:
    now = datetime.now(UTC)
    cursor.execute(
        "INSERT INTO analysis_batch (collector_id, batch_id, digest, records, duplicates, warnings, received_at)"
        " VALUES (%s, %s, '', %s, 0, '[]', %s)",
        [machine, uuid.uuid4().hex, ROWS, now],
    )
    moments = (start + timedelta(microseconds=row) for row in range(ROWS))
    lines = "".join(f"{machine}\t{moment.isoformat()}\t1.5\n" for moment in moments)
    cursor.copy_expert('COPY analysis_data (collector_id, "timestamp", cpu_user) FROM STDIN', io.StringIO(lines))
    cursor.execute(
        'INSERT INTO accounts_auditevent ("timestamp", event, "user", machine_id, records, status, detail)'
        " VALUES (%s, 'upload', '', 'server1', %s, 'success', '{}')",
        [now, ROWS],
    )


def client(socket: str, start: datetime, uploads: int) -> None:
    """Uploads at instants that no other client of the run has."""
    with connect(socket) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT id FROM collectors_collector")
        (machine,) = cursor.fetchone()
        for number in range(uploads):
            upload(cursor, machine, start + timedelta(milliseconds=number))
            connection.commit()


def uploads_per_second(socket: str, first: datetime, clients: int, uploads: int) -> float:
    starts = [first + timedelta(seconds=10 * number) for number in range(clients)]
    processes = [multiprocessing.Process(target=client, args=(socket, start, uploads)) for start in starts]
    begun = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return clients * uploads / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--uploads", type=int, default=400, help="of each client")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rates: dict[str, list[float]] = {name: [] for name in VARIANTS}
    first = datetime.now(UTC) - timedelta(hours=12)
    with running_portal() as portal:
        for _ in range(options.rounds):
            for name, (before, after) in VARIANTS.items():
                first += timedelta(minutes=5)
                run_sql(portal.socket, before)
                rates[name].append(uploads_per_second(portal.socket, first, options.clients, options.uploads))
                run_sql(portal.socket, after)
    for name, found in rates.items():
        print(f"{name:20} {statistics.median(found):6.0f} uploads/s  ({min(found):.0f} to {max(found):.0f})")


if __name__ == "__main__":
    main()
