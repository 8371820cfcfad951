"""The read path for alerts: averages over the window that ends at an instant, of many machines at once.

Formulas are SQL over the columns of a sample (`alerts.quantities`). Averages are rounded to six digits, so that it does
not matter in which order the samples were added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from analysis.series_shapes import instance_column, query
from core.catalogue import Dataset

Numbers = np.ndarray[Any, np.dtype[np.float64]]
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class Window(NamedTuple):
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
    dataset: Dataset, formula: str, collector_id: int, ends: Sequence[datetime], length: timedelta, fresh: timedelta
) -> dict[str, Iterator[Window]]:
    """The windows of one machine at many ascending ends, by instance: what `read` gives at each, from one query.

    Left out are ends without a sample in their window, and those that the next sample of the machine follows `fresh` or
    longer after: they were not looked at when it came.
    """
    if not ends:
        return {}
    found = f"""
        SELECT {instance_column(dataset)}, extract(epoch FROM "timestamp")::float8, ({formula})::float8
        FROM "{dataset.table}" WHERE collector_id = %s AND "timestamp" > %s AND "timestamp" <= %s
        ORDER BY 1, 2
    """  # noqa: S608
    rows = query(found, [collector_id, ends[0] - length, ends[-1] + fresh])
    stops = np.array([(end - EPOCH).total_seconds() for end in ends])
    seen = _seen(np.array(sorted({moment for _, moment, _ in rows})), stops, fresh.total_seconds())
    wanted, stops = [ends[number] for number in np.flatnonzero(seen).tolist()], stops[seen]
    members: dict[str, tuple[list[float], list[float | None]]] = {}
    for instance, moment, value in rows:
        times, values = members.setdefault(instance or "", ([], []))
        times.append(moment)
        values.append(value)
    return {
        name: _slide(collector_id, name, times, values, (wanted, stops), length.total_seconds())
        for name, (times, values) in members.items()
    }


def _seen(moments: Numbers, stops: Numbers, fresh: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which ends a sample follows soon enough; none after the last sample."""
    following = np.append(moments, np.inf)[np.searchsorted(moments, stops, side="left")]
    return following - stops < fresh


def _slide(
    collector_id: int, instance: str, times: list[float], values: list[float | None],
    ends: tuple[Sequence[datetime], Numbers], length: float,
) -> Iterator[Window]:  # fmt: skip
    at = np.array(times)
    measured = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    moments, stops = ends
    first, last = (np.searchsorted(at, edge, side="right") for edge in (stops - length, stops))
    sums, counts = _sums(measured, first, last), _sums((~np.isnan(measured)).astype(np.float64), first, last)
    covered = at[np.minimum(first, at.size - 1)] <= stops - length / 2
    columns = zip(moments, sums.tolist(), counts.tolist(), covered.tolist(), (last > first).tolist(), strict=True)
    for moment, total, count, is_covered, is_there in columns:
        if is_there:
            mean = rounded(total / count) if count else None
            yield Window(collector_id, moment, instance, is_covered, (mean,), (int(count),))


def _sums(values: Numbers, first: Any, last: Any) -> Numbers:
    """The sum of each stretch first ≤ n < last, each added up anew so that no rounding runs along; without NaN."""
    padded = np.append(np.nan_to_num(values), 0.0)
    edges = np.column_stack((first, last)).ravel()
    sums: Numbers = np.where(last > first, np.add.reduceat(padded, edges)[::2], 0.0)
    return sums


def stored(dataset: Dataset, collector_id: int, after: datetime, before: datetime) -> int:
    """How many samples of a machine lie between two instants."""
    found = f"""
        SELECT count(*) FROM "{dataset.table}" WHERE collector_id = %s AND "timestamp" > %s AND "timestamp" < %s
    """  # noqa: S608
    ((count,),) = query(found, [collector_id, after, before])
    return int(count)
