"""A bulk load: `manage.py import_csv` against bare `\\copy` of the same rows into an equal table, in the same run.

Usage: python -m bench.ingest [--machines 20] [--days 7] [--rounds 3]. 100 machines are the million rows of the goal.
The file has the 21 plain columns of the dataset `system`. Goal: at most 1.0 of `\\copy`'s time, under 300 MB, and ahead
of VictoriaMetrics where that is installed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import peers, portals
from core import embedded
from core.catalogue import SYSTEM
from tests.live.portal import ROOT, RunningPortal, running_portal

COLUMNS = tuple(metric.name for metric in SYSTEM.metrics if metric.is_number)[:21]
MINUTES_A_DAY = 1440
GOAL_MB = 300


def write_file(path: Path, machines: list[str], days: int, rounds: int) -> int:
    """A file in order of time, as an export is; each round has instants of its own. Returns the rows."""
    random = np.random.default_rng(7)
    newest = datetime.now(UTC).replace(second=rounds, microsecond=0) - timedelta(hours=1)
    with path.open("w") as file:
        file.write(",".join(("timestamp", "machine_id", *COLUMNS)) + "\n")
        for minute in reversed(range(days * MINUTES_A_DAY)):
            at = f"{newest - timedelta(minutes=minute):%Y-%m-%dT%H:%M:%SZ}"
            values = random.uniform(0, 100, (len(machines), len(COLUMNS)))
            cells = ("," + ",".join(map("{:.2f}".format, row)) for row in values.tolist())
            file.writelines(f"{at},{machine}{row}\n" for machine, row in zip(machines, cells, strict=True))
    return days * MINUTES_A_DAY * len(machines)


def load(portal: RunningPortal, path: Path) -> tuple[float, float]:
    """Seconds and peak memory in MB of the command, without the start of Python and Django."""
    code = (
        "import resource,sys,time,django;django.setup()\n"
        "from django.core.management import call_command\nimport analysis.bulk\nbegun=time.perf_counter()\n"
        "call_command('import_csv',sys.argv[1],schema='bench0')\n"
        "print(time.perf_counter()-begun,resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    seconds, megabytes = done.stdout.split("\n")[-2].split()
    return float(seconds), float(megabytes)


def copy_bare(portal: RunningPortal, path: Path) -> float:
    """Seconds that psql takes for `\\copy` of the same rows, with the collector's number as their key."""
    columns = ", ".join(("timestamp", "collector_id", *COLUMNS))
    command = f"\\copy bare.analysis_data ({columns}) FROM '{path}' WITH (FORMAT csv, HEADER)"
    psql = embedded.packaged_programs() / "psql"
    begun = time.perf_counter()
    subprocess.run([psql, "-q", "-h", portal.socket, "-U", "postgres", "-c", command], check=True)
    return time.perf_counter() - begun


def prepare_bare(portal: RunningPortal) -> None:
    """A table equal to the partitioned one, with the same partitions."""
    connection = psycopg2.connect(host=portal.socket, user="postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA bare; SET search_path = bare")
        cursor.execute(
            "CREATE TABLE analysis_data (LIKE bench0.analysis_data INCLUDING ALL) PARTITION BY RANGE (timestamp)"
        )
        cursor.execute(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
            " WHERE inhparent = 'bench0.analysis_data'::regclass"
        )
        for name, bounds in cursor.fetchall():
            cursor.execute(f"CREATE TABLE {name} PARTITION OF analysis_data {bounds}")
    connection.close()


def bare_file(path: Path, numbers: dict[str, int]) -> Path:
    """The same file with collector ids, so that \\copy has nothing to look up."""
    target = path.with_suffix(".bare.csv")
    with path.open() as source, target.open("w") as file:
        file.write(source.readline())
        for line in source:
            at, machine, rest = line.split(",", 2)
            file.write(f"{at},{numbers[machine]},{rest}")
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=20)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ours, bare, peer, peak, rows = [], [], [], 0.0, 0
    with running_portal() as portal, tempfile.TemporaryDirectory(prefix="perfanalysis-bench-") as folder:
        portals.connect(portal)
        machines = portals.fleet(portal, 1, options.machines)
        numbers = {machine.machine_id: machine.pk for machine in machines}
        make_months(options.days)
        prepare_bare(portal)
        for number in range(options.rounds):
            path = Path(folder, f"{number}.csv")
            rows = write_file(path, list(numbers), options.days, number)
            plain = bare_file(path, numbers)
            seconds, megabytes = load(portal, path)
            ours.append(seconds)
            bare.append(copy_bare(portal, plain))
            victoria = peers.victoria_metrics(path, COLUMNS)
            peer += [victoria] if victoria is not None else []
            peak = max(peak, megabytes)
            size = path.stat().st_size / 1e6
            path.unlink()
            plain.unlink()
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"rows     {rows} of {options.machines} machines × {options.days} days, {size:.0f} MB of CSV")
    print(
        f"import   {statistics.median(ours):7.2f} s   {rows / statistics.median(ours):9.0f} rows/s   peak {peak:.0f} MB"
    )
    print(f"\\copy    {statistics.median(bare):7.2f} s   {rows / statistics.median(bare):9.0f} rows/s")
    if peer:
        print(f"peer     {statistics.median(peer):7.2f} s   VictoriaMetrics, the same file")
    met = "met" if ratio <= 1 and peak < GOAL_MB else "missed"
    print(f"ratio    {ratio:7.2f}   goal 1.0, peak under {GOAL_MB} MB: {met}")


def make_months(days: int) -> None:
    """The partitions that the file needs, before the clock starts: the bare table has them too."""
    from django.db import connection

    from analysis import months, partitions
    from core.tenancy import schema_context

    now = datetime.now(UTC)
    with schema_context("bench0"):
        partitions.create(partitions.plan(months.between(now - timedelta(days=days + 1), now)))
    connection.close()


if __name__ == "__main__":
    main()
