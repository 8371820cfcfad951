"""The hourly roll-ups as SQL, from the catalogue: tables, and an hour's statistics from its raw samples.

Not partitioned: a partner of 100 machines adds 73,000 rows a month, which are deleted machine by machine in a second; a
partition a month and dataset for two years would be 120 more tables a partner, and more planning for every chart.
"""

from __future__ import annotations

from analysis import tables
from core.catalogue import DATASETS, Dataset, Metric

COVERAGE, STALE, ROLLED = "analysis_coverage", "analysis_stale", "analysis_rolled"
HOUR = "date_bin('1 hour', \"timestamp\", timestamptz '2000-01-01 00:00+00')"
STATISTICS = {
    "count": ("integer", 'count("{}")'),
    "mean": ("real", 'avg("{}")'),
    "min": ("real", 'min("{}")'),
    "max": ("real", 'max("{}")'),
    "p95": ("real", 'percentile_cont(0.95) WITHIN GROUP (ORDER BY "{}")'),
}
"""Statistic → its type, and how it is made of the raw samples (trap 37: never of other statistics)."""
_COVERAGE_COLUMNS = "dataset, collector_id, hour, samples, first_at, last_at, step_s, gap_start, gap_end"


def table(dataset: Dataset) -> str:
    return f"{dataset.table}_hourly"


def numbers(dataset: Dataset) -> list[Metric]:
    """The metrics that are rolled up: labels and arrays are not."""
    return [metric for metric in dataset.metrics if metric.is_number]


def columns(dataset: Dataset) -> dict[str, tuple[str, str]]:
    """Column → its type and its SQL over the raw samples of one hour."""
    return {
        f"{metric.name}_{name}": (kind, made.format(metric.name))
        for metric in numbers(dataset)
        for name, (kind, made) in STATISTICS.items()
    }


def statements() -> list[str]:
    """What brings a schema's roll-up tables to the catalogue; safe to run again."""
    made = [sql for dataset in DATASETS.values() for sql in (_create(dataset), _add_columns(dataset))]
    return [*made, *_BOOKKEEPING]


def upsert(dataset: Dataset) -> str:
    """Roll up the hours of a machine; parameters: collector, start, end.

    Samples are only ever added until retention takes them away, so an hour with fewer than were counted before has been
    trimmed, and what is known of it stays.
    """
    made = columns(dataset)
    key = ["collector_id", "hour", *_instance(dataset)]
    names = ["samples", *made]
    grouped = ", ".join(str(position) for position in range(1, len(key) + 1))
    return f"""
        INSERT INTO "{table(dataset)}" AS known ({_list([*key, *names])})
        SELECT collector_id, {HOUR}, {"".join(f'"{name}", ' for name in _instance(dataset))}count(*),
          {", ".join(sql for _, sql in made.values())}
        FROM "{dataset.table}" WHERE collector_id = %s AND "timestamp" >= %s AND "timestamp" < %s GROUP BY {grouped}
        ON CONFLICT ({_list(key)}) DO UPDATE SET {", ".join(f'"{name}" = EXCLUDED."{name}"' for name in names)}
        WHERE known.samples <= EXCLUDED.samples
    """  # noqa: S608  # names come from the catalogue


def coverage_of_raw(dataset: Dataset) -> str:
    """hour, samples, first_at, last_at, step_s, gap_start, gap_end of a machine's raw samples.

    Parameters: collector, start, end. step_s is the median distance of samples, the gap is the longest distance.
    """
    return f"""
        SELECT hour, count(*), min(at), max(at),
          percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM at - before))::real,
          (array_agg(before ORDER BY at - before DESC NULLS LAST))[1],
          (array_agg(at ORDER BY at - before DESC NULLS LAST))[1]
        FROM (
            SELECT hour, at, lag(at) OVER (PARTITION BY hour ORDER BY at) AS before FROM (
                SELECT DISTINCT {HOUR} AS hour, "timestamp" AS at FROM "{dataset.table}"
                WHERE collector_id = %s AND "timestamp" >= %s AND "timestamp" < %s
            ) instants
        ) distances GROUP BY hour
    """  # noqa: S608


def upsert_coverage(dataset: Dataset) -> str:
    """Parameters: dataset, collector, and those of `coverage_of_raw`."""
    return f"""
        INSERT INTO {COVERAGE} AS known ({_COVERAGE_COLUMNS})
        SELECT %s, %s, found.* FROM ({coverage_of_raw(dataset)}) found
        ON CONFLICT (dataset, collector_id, hour) DO UPDATE SET samples = EXCLUDED.samples,
          first_at = EXCLUDED.first_at, last_at = EXCLUDED.last_at, step_s = EXCLUDED.step_s,
          gap_start = EXCLUDED.gap_start, gap_end = EXCLUDED.gap_end
        WHERE known.samples <= EXCLUDED.samples
    """  # noqa: S608


_BOOKKEEPING = (
    f"""CREATE TABLE IF NOT EXISTS {COVERAGE} (
        dataset text NOT NULL, collector_id bigint NOT NULL, hour timestamptz NOT NULL, samples integer NOT NULL,
        first_at timestamptz NOT NULL, last_at timestamptz NOT NULL, step_s real,
        gap_start timestamptz, gap_end timestamptz, PRIMARY KEY (collector_id, dataset, hour))""",
    f"""CREATE TABLE IF NOT EXISTS {STALE} (
        collector_id bigint NOT NULL, first_at timestamptz NOT NULL, last_at timestamptz NOT NULL)""",
    f"CREATE INDEX IF NOT EXISTS {STALE}_collector ON {STALE} (collector_id)",
    f"CREATE TABLE IF NOT EXISTS {ROLLED} (until timestamptz NOT NULL)",
)


def _create(dataset: Dataset) -> str:
    key = ["collector_id", "hour", *_instance(dataset)]
    instance = "".join(f'"{name}" {tables.SQL_TYPES[dataset.instance_dtype]} NOT NULL, ' for name in _instance(dataset))
    return f"""CREATE TABLE IF NOT EXISTS "{table(dataset)}" (
        "collector_id" bigint NOT NULL, "hour" timestamptz NOT NULL, {instance}"samples" integer NOT NULL,
        PRIMARY KEY ({_list(key)}))"""


def _add_columns(dataset: Dataset) -> str:
    wanted = (f'ADD COLUMN IF NOT EXISTS "{name}" {kind}' for name, (kind, _) in columns(dataset).items())
    return f'ALTER TABLE "{table(dataset)}" {", ".join(wanted)}'


def _instance(dataset: Dataset) -> list[str]:
    return [dataset.instance] if dataset.instance else []


def _list(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
