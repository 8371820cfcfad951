"""Charts, the fleet's page and roll-ups, against bare SQL in the same run.

Usage: python -m bench.series [--machines 10] [--days 90]. Goals: a machine's whole time at 500 points under 100 ms, the
fleet under 150 ms; a day of 100 machines rolled up in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.filling import PLAIN, SCHEMA, filled_portal, midnight
from core.catalogue import SYSTEM

CHART_MS, FLEET_MS, POINTS, ROUNDS = 100.0, 150.0, 500, 7


def milliseconds(*ways: Callable[[], object]) -> list[float]:
    """Median of each way, taken in turns so that all see the same neighbours."""
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for at, way in enumerate(ways):
            begun = time.perf_counter()
            way()
            found[at].append((time.perf_counter() - begun) * 1000)
    return [statistics.median(times) for times in found]


def compare(name: str, ours: float, bare: float, goal: float | None = None) -> None:
    verdict = f"; goal {goal:.0f} ms: {'met' if ours < goal else 'missed'}" if goal else ""
    print(f"{name:34} {ours:9.1f} ms   bare SQL {bare:9.1f} ms   ratio {ours / bare:5.2f}{verdict}")


def roll_up_everything(days: int) -> None:
    """From the first sample on; what is rolled up then is days × machines."""
    from analysis import rollups, rollups_tables

    rollups.execute(f"UPDATE {rollups_tables.ROLLED} SET until = %s", [midnight() - timedelta(days=days)])
    begun = time.perf_counter()
    hours = rollups.refresh(midnight() + timedelta(minutes=15))
    seconds = time.perf_counter() - begun
    day = seconds / hours * 2400
    print(f"rolled up {hours:,} hours of machines in {seconds:.1f} s: a day of 100 machines in {day:.2f} s")
    for table in ("analysis_data_hourly", "analysis_coverage"):
        rollups.execute(f"VACUUM ANALYZE {table}", [])


def refill_a_day() -> None:
    """The last day of every machine is late data, against one bare statement with the same aggregates."""
    from analysis import rollups, rollups_tables
    from collectors.models import Collector

    start, end = midnight() - timedelta(days=1), midnight()
    machines = list(Collector.objects.filter(machine_id__startswith="bench").values_list("pk", flat=True))
    made = ", ".join(sql for _, sql in rollups_tables.columns(SYSTEM).values())
    bare = f"""SELECT collector_id, {rollups_tables.HOUR}, {made} FROM "{SYSTEM.table}"
        WHERE "timestamp" >= %s AND "timestamp" < %s GROUP BY 1, 2"""

    def ours() -> None:
        rollups.mark_stale([rollups.Span(pk, start, end - timedelta(minutes=1)) for pk in machines], end + rollups.HOUR)
        rollups.refresh(end + timedelta(minutes=15))

    compare(
        f"a day of {len(machines)} machines rolled up", *milliseconds(ours, lambda: rollups.fetch(bare, [start, end]))
    )


def chart(days: int) -> None:
    """All metrics of a plain client over the whole time; bare: the buckets alone, of roll-ups and of raw samples."""
    from analysis import rollups, series
    from collectors.models import Collector

    start, end = midnight() - timedelta(days=days), midnight()
    pk = Collector.objects.get(machine_id="bench000").pk
    request = series.Request(pk, SYSTEM, PLAIN, start, end, POINTS)
    found = series.read(request, end)
    width = timedelta(seconds=found.step_s or 60)
    rolled = ", ".join(
        f'sum("{m}_mean" * "{m}_count") / sum("{m}_count"), min("{m}_min"), max("{m}_max")' for m in PLAIN
    )
    raw = ", ".join(f'avg("{m}"), min("{m}"), max("{m}")' for m in PLAIN)
    queries = [
        f"SELECT date_bin(%s, {time_of}, timestamptz '2000-01-01 00:00+00'), {values} FROM {table}"
        f" WHERE collector_id = %s AND {time_of} >= %s AND {time_of} < %s GROUP BY 1 ORDER BY 1"
        for time_of, values, table in (("hour", rolled, "analysis_data_hourly"), ('"timestamp"', raw, "analysis_data"))
    ]
    parameters = [width, pk, start, end]
    ours, bare, bare_raw = milliseconds(
        lambda: series.read(request, end), *(lambda sql=sql: rollups.fetch(sql, parameters) for sql in queries)
    )
    name = f"{days} days, {len(found.columns[0].timestamps)} points, {found.source}"
    compare(name, ours, bare, CHART_MS)
    compare("  against raw samples", ours, bare_raw)
    week = series.Request(pk, SYSTEM, PLAIN, end - timedelta(days=7), end, POINTS)
    last = [timedelta(seconds=series.read(week, end).step_s or 60), pk, end - timedelta(days=7), end]
    compare("7 days, raw", *milliseconds(lambda: series.read(week, end), lambda: rollups.fetch(queries[1], last)))


def fleet_page() -> None:
    from analysis import fleet, rollups

    now = midnight()
    bare = f"""SELECT collector_id, date_bin('30 minutes', "timestamp", %s) AS half_hour, avg(cpu_idle)
        FROM "{SYSTEM.table}" WHERE collector_id = ANY(ARRAY(SELECT id FROM collectors_collector))
        AND "timestamp" >= %s AND "timestamp" < %s GROUP BY 1, 2"""
    day = [now, now - timedelta(days=1), now]
    every = [machine.collector.pk for machine in fleet.machines(now)]
    ours, sql = milliseconds(
        lambda: (fleet.machines(now), fleet.sparks(now, every)), lambda: rollups.fetch(bare, day)
    )  # fmt: skip
    compare(f"fleet of {len(every)}", ours, sql, FLEET_MS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=10)
    parser.add_argument("--days", type=int, default=90)
    options = parser.parse_args()
    with filled_portal(options.machines, options.days):
        run(options.days)


def run(days: int) -> None:
    from core.tenancy import schema_context

    with schema_context(SCHEMA):
        roll_up_everything(days)
        refill_a_day()
        chart(days)
        fleet_page()


if __name__ == "__main__":
    main()
