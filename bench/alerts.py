"""The evaluation of alert rules each minute, and the rehearsal of one, against bare SQL in the same run.

Usage: python -m bench.alerts [--machines 100] [--rules 30]. Goals: 100 machines × 30 rules in under 2 s a partner; a
rehearsal of 30 days of one rule and machine in under 1 s.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.filling import SCHEMA, _insert, filled_portal, midnight
from bench.series import milliseconds

EVALUATION_MS, REHEARSAL_MS = 2000.0, 1000.0
MOUNTS = ("/", "/srv", "/var/log")
QUANTITIES = ("cpu_system", "cpu_steal", "cpu_iowait", "disk_io_util", "load_5min")
MINUTE = timedelta(minutes=1)


def fill(machines: int) -> None:
    """Beside the system samples: mounts for an hour, and the roll-ups of six weeks that forecasts and patterns read."""
    from analysis import months, partitions, rollups

    now = midnight()
    rollups.execute(
        """INSERT INTO analysis_filesystems (collector_id, "timestamp", mount, used_mb, available_mb, used_percent)
        SELECT id, at, mount, 500, 500, random() * 80 FROM collectors_collector, unnest(%s) mount,
          generate_series(%s::timestamptz, %s::timestamptz, interval '1 minute') at""",
        [list(MOUNTS), now - timedelta(hours=2), now - MINUTE],
    )
    rollups.execute(
        """INSERT INTO analysis_data_hourly (collector_id, hour, samples, cpu_idle_mean, cpu_iowait_mean)
        SELECT id, at, 60, 50 + random() * 10, 1 FROM collectors_collector,
          generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') at""",
        [now - timedelta(days=43), now],
    )
    rollups.execute(
        """INSERT INTO analysis_filesystems_hourly (collector_id, hour, mount, samples, used_mb_mean, available_mb_mean)
        SELECT id, at, mount, 60, 500 + random() * 20, 500 FROM collectors_collector, unnest(%s) mount,
          generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') at""",
        [list(MOUNTS), now - timedelta(days=15), now],
    )
    partitions.create(partitions.plan(months.between(now - timedelta(days=31), now)))
    rollups.execute(_insert(), [first_machine(), now - timedelta(days=30), now - timedelta(days=2, minutes=1)])
    rollups.execute("VACUUM ANALYZE", [])


def first_machine() -> int:
    from collectors.models import Collector

    return Collector.objects.get(machine_id="bench000").pk


def rules(count: int) -> None:
    """Thresholds of five windows on five metrics and mounts, two patterns, a forecast, silence and events."""
    from alerts.models import Kind, Rule

    Rule.objects.all().delete()
    made = [
        Rule(kind=Kind.NO_DATA, grace_seconds=900), Rule(kind=Kind.EVENT, quantity="reboot"),
        Rule(kind=Kind.FORECAST, quantity="filesystems.days_until_full", threshold=7),
        Rule(kind=Kind.ANOMALY, quantity="system.cpu_busy_percent", threshold=6, window_seconds=3600),
        Rule(kind=Kind.ANOMALY, quantity="system.cpu_idle", threshold=6, window_seconds=1800),
    ]  # fmt: skip
    made += [
        Rule(kind=Kind.THRESHOLD, quantity="filesystems.used_percent", threshold=90 + n, window_seconds=900)
        for n in range(4)
    ]
    for number in range(count - len(made)):
        quantity = f"system.{QUANTITIES[number % len(QUANTITIES)]}"
        window, threshold = 300 * (1 + number % 4), 40 if number < 2 else 95
        made.append(Rule(kind=Kind.THRESHOLD, quantity=quantity, threshold=threshold, window_seconds=window))
    for number, rule in enumerate(made):
        rule.name = f"rule {number}"
    Rule.objects.bulk_create(made)


def rewind() -> None:
    """As if the last run had been a minute ago: each machine has a minute to be judged."""
    from alerts.models import Progress, Run

    Progress.objects.update(until=midnight() - 2 * MINUTE)
    Run.objects.update(evaluated_at=midnight() - MINUTE)


def evaluate_each_minute(count: int) -> None:
    from alerts import evaluation
    from alerts.models import Alert, Run
    from analysis import rollups

    now = midnight()
    Run.objects.all().delete()
    Run.objects.create(evaluated_at=now - MINUTE, resumed_at=now - timedelta(days=1))
    begun = time.perf_counter()
    evaluation.evaluate(now)
    took, there = (time.perf_counter() - begun) * 1000, Alert.objects.open().count()
    print(f"the first run, half an hour to catch up: {took:.0f} ms; {there} alerts are open")

    def ours() -> None:
        rewind()
        evaluation.evaluate(now)

    def bare() -> None:
        for window in (300, 600, 900, 1200, 1800, 3600):
            names = ", ".join(f"avg({name}), count({name})" for name in QUANTITIES)
            rollups.fetch(
                f'SELECT collector_id, min("timestamp"), {names} FROM analysis_data'
                ' WHERE "timestamp" > %s AND "timestamp" <= %s GROUP BY 1',
                [now - timedelta(seconds=window), now],
            )
        rollups.fetch(
            "SELECT collector_id, mount, avg(used_percent) FROM analysis_filesystems"
            ' WHERE "timestamp" > %s AND "timestamp" <= %s GROUP BY 1, 2',
            [now - timedelta(seconds=900), now],
        )

    mine, sql = milliseconds(ours, bare)
    compared(f"a minute of {count} rules", mine, sql, EVALUATION_MS)


def compared(name: str, mine: float, sql: float, goal: float) -> None:
    verdict = "met" if mine < goal else "missed"
    print(f"{name:34} {mine:8.1f} ms   bare SQL {sql:8.1f} ms   ratio {mine / sql:5.2f}; goal {goal:.0f} ms: {verdict}")


def rehearse() -> None:
    from alerts import rehearsal
    from alerts.models import Kind, Rule
    from analysis import rollups

    now, pk = midnight(), first_machine()
    for kind, quantity, threshold, window in (
        (Kind.THRESHOLD, "system.disk_io_util", 60, 600), (Kind.THRESHOLD, "system.disk_io_util", 60, 3600),
        (Kind.ANOMALY, "system.cpu_busy_percent", 6, 3600), (Kind.NO_DATA, "", None, 600),
        (Kind.FORECAST, "filesystems.days_until_full", 7, 600),
    ):  # fmt: skip
        rule = Rule(
            name="r", kind=kind, quantity=quantity, threshold=threshold, window_seconds=window, grace_seconds=900
        )
        bare = (
            'SELECT "timestamp", avg(disk_io_util) OVER (ORDER BY "timestamp" RANGE %s PRECEDING) FROM analysis_data'
            ' WHERE collector_id = %s AND "timestamp" > %s'
        )
        parameters = [timedelta(seconds=window), pk, now - timedelta(days=30)]
        ours = partial(rehearsal.rehearse, rule, now, machine_id="bench000")
        mine, sql = milliseconds(ours, partial(rollups.fetch, bare, parameters))
        compared(f"30 days of {kind} over {window} s", mine, sql, REHEARSAL_MS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--rules", type=int, default=30)
    options = parser.parse_args()
    with filled_portal(options.machines, 2):
        from core.tenancy import schema_context

        with schema_context(SCHEMA):
            fill(options.machines)
            rules(options.rules)
            evaluate_each_minute(options.rules)
            rehearse()


if __name__ == "__main__":
    main()
