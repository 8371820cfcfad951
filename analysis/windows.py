"""The read path for alerts: averages over the window that ends at an instant, of many machines at once.

Formulas are SQL over the columns of a sample (`alerts.quantities`). Averages are rounded to six digits, so that it does
not matter in which order the samples were added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from analysis.series_shapes import instance_column, query
from core.catalogue import Dataset

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class Window:
    """What one machine (device, mount …) did until `at`: for each formula its mean, None where nothing was measured.

    counts: the samples behind each mean. is_covered: the samples reach back over half of the window at least; one that
    comes after a gap stands for nothing yet.
    """

    collector_id: int
    at: datetime
    instance: str
    is_covered: bool
    means: Sequence[float | None]
    counts: Sequence[int]


def newest(dataset: Dataset, after: datetime, until: datetime) -> dict[int, datetime]:
    """The newest sample of every active machine with after < timestamp ≤ until."""
    found = f"""
        SELECT machine.id, sample."timestamp" FROM collectors_collector machine CROSS JOIN LATERAL (
            SELECT "timestamp" FROM "{dataset.table}"
            WHERE collector_id = machine.id AND "timestamp" > %s AND "timestamp" <= %s
            ORDER BY "timestamp" DESC LIMIT 1
        ) sample WHERE machine.active
    """  # noqa: S608  # names come from the catalogue
    return dict(query(found, [after, until]))


def read(
    dataset: Dataset, formulas: Sequence[str], ends: Sequence[tuple[int, datetime]], length: timedelta
) -> list[Window]:
    """The windows of those (collector, end), in the order of their ends. One query; only partitions in range."""
    if not ends:
        return []
    machines, moments = [machine for machine, _ in ends], [moment for _, moment in ends]
    made = ", ".join(f"avg({formula}), count({formula})" for formula in formulas)
    found = f"""
        SELECT wanted.machine, wanted.at, part.* FROM unnest(%s::bigint[], %s::timestamptz[]) AS wanted (machine, at)
        CROSS JOIN LATERAL (
            SELECT {instance_column(dataset)}, min("timestamp") <= wanted.at - %s, {made} FROM "{dataset.table}"
            WHERE collector_id = wanted.machine AND "timestamp" > wanted.at - %s AND "timestamp" <= wanted.at
              AND "timestamp" > %s AND "timestamp" <= %s
            GROUP BY 1
        ) part ORDER BY wanted.at
    """  # noqa: S608
    bounds = [length / 2, length, min(moments) - length, max(moments)]
    rows = query(found, [machines, moments, *bounds])
    return [_window(*row) for row in rows]


def _window(machine: int, at: datetime, instance: str | None, is_covered: bool, *made: Any) -> Window:
    means = [None if value is None else rounded(value) for value in made[::2]]
    return Window(machine, at, instance or "", is_covered, means, made[1::2])


def rounded(value: float) -> float:
    return float(f"{value:.6g}")


def slide(
    dataset: Dataset, formula: str, collector_id: int, ends: Sequence[datetime], length: timedelta
) -> dict[str, Iterator[Window]]:
    """The windows of one machine at many ascending ends, by instance: what `read` gives at each, from one query.

    Ends without a sample in their window are left out, as `read` does.
    """
    if not ends:
        return {}
    found = f"""
        SELECT {instance_column(dataset)}, extract(epoch FROM "timestamp")::float8, ({formula})::float8
        FROM "{dataset.table}" WHERE collector_id = %s AND "timestamp" > %s AND "timestamp" <= %s
        ORDER BY 1, 2
    """  # noqa: S608
    rows = query(found, [collector_id, ends[0] - length, ends[-1]])
    members: dict[str, tuple[list[float], list[float | None]]] = {}
    for instance, moment, value in rows:
        times, values = members.setdefault(instance or "", ([], []))
        times.append(moment)
        values.append(value)
    return {name: _slide(collector_id, name, *columns, ends, length) for name, columns in members.items()}


def _slide(
    collector_id: int, instance: str, times: list[float], values: list[float | None], ends: Sequence[datetime],
    length: timedelta,
) -> Iterator[Window]:  # fmt: skip
    at = np.array(times)
    measured = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    stops = np.array([(end - EPOCH).total_seconds() for end in ends])
    first = np.searchsorted(at, stops - length.total_seconds(), side="right")
    last = np.searchsorted(at, stops, side="right")
    sums, counts = _sums(measured, first, last), _sums((~np.isnan(measured)).astype(np.float64), first, last)
    oldest = at[np.minimum(first, at.size - 1)]
    for number in np.flatnonzero(last > first).tolist():
        count = int(counts[number])
        mean = rounded(float(sums[number]) / count) if count else None
        covered = bool(oldest[number] <= stops[number] - length.total_seconds() / 2)
        yield Window(collector_id, ends[number], instance, covered, [mean], [count])


def _sums(values: np.ndarray[Any, Any], first: np.ndarray[Any, Any], last: np.ndarray[Any, Any]) -> Any:
    """The sum of each stretch first ≤ n < last, each added up anew so that no rounding runs along; without NaN."""
    padded = np.append(np.nan_to_num(values), 0.0)
    edges = np.column_stack((first, last)).ravel()
    return np.where(last > first, np.add.reduceat(padded, edges)[::2], 0.0)


def stored(dataset: Dataset, collector_id: int, after: datetime, before: datetime) -> int:
    """How many samples of a machine lie between two instants."""
    found = f"""
        SELECT count(*) FROM "{dataset.table}" WHERE collector_id = %s AND "timestamp" > %s AND "timestamp" < %s
    """  # noqa: S608
    ((count,),) = query(found, [collector_id, after, before])
    return int(count)
