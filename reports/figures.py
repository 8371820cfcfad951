"""Figures and tables of one machine: rows for the shared charts, and captions that carry the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from analysis.trends import fit_trend
from core.catalogue import DATASETS
from reports import charts
from reports.document import Block, Figure, Paragraph, Table
from reports.events import explain
from reports.measures import MEASURES, Measure, measured, say
from reports.palette import LIGHT
from reports.patterns import Hourly, hourly_means
from reports.statistics import (
    HOUR,
    Coverage,
    Times,
    Values,
    cover,
    cumulate,
    day_hour_means,
    downsample,
    histogram,
    summarise,
)
from reports.table import Machine, Samples
from reports.wording import Clock, count, number

FULL_WIDTH = 660
HALF_WIDTH = 322
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MAXIMUM_INSTANCES = 40
POINTS = {1: 480, 2: 400, 3: 300}
"""Points a line, by number of lines: a chart of 660 pixels shows no more."""


@dataclass(frozen=True)
class View:
    """One machine as the report looks at it."""

    machine: Machine
    clock: Clock

    @property
    def samples(self) -> Samples:
        return self.machine.system

    @cached_property
    def coverage(self) -> Coverage:
        return explain(cover(self.samples.times, self.machine.period), self.machine.events)

    @cached_property
    def offset(self) -> int:
        """Added to every charted time: the zone's offset when the data starts (ms)."""
        return self.clock.offset(self.coverage.start)

    def values(self, name: str) -> Values | None:
        return measured(self.samples, name)

    @cached_property
    def local(self) -> Times:
        """Wall-clock time of every sample."""
        return self.clock.local(self.samples.times)

    def hourly(self, name: str) -> Hourly | None:
        """Means by hour of wall-clock time; None when nothing was measured."""
        values = self.values(name)
        return None if values is None else hourly_means(self.local, values)

    def draw(
        self,
        spec: charts.Spec,
        rows: Sequence[charts.Row],
        width: int = FULL_WIDTH,
        span: tuple[int, int] | None = None,
    ) -> Mapping[str, Any]:
        """The specification with rows, over the period or `span`, without its title: the document sets it as text."""
        start, end = span or (self.coverage.start + self.offset, self.coverage.end + self.offset)
        filled = charts.with_rows(spec, rows, start=start, end=max(end, start + 1), width=width)
        return {key: value for key, value in filled.items() if key != "title"}


def over_time(
    view: View, title: str, names: Sequence[str], *, stacked: bool = False, band: bool = False, height: int = 150
) -> Block:
    """Measures over time; those never measured are named in the caption. All must share one unit."""
    found = {name: values for name in names if (values := view.values(name)) is not None}
    if not found:
        return not_measured(title, names)
    measures = [MEASURES[name] for name in found]
    rows = [row for name, values in found.items() for row in _rows(view, MEASURES[name].title, values, len(found))]
    spec = charts.time_series(
        title,
        measures[0].unit,
        measures,
        stacked=stacked,
        band=band,
        maximum=_maximum(measures, found, stacked),
        height=height,
        utc=True,
        interactive=False,
    )
    caption = _caption(view, found, [name for name in names if name not in found])
    if band:
        caption += " Line: mean; shade: lowest to highest sample."
    return Figure(title, caption, f"{title} over time. {caption}", view.draw(spec, rows))


def by_instance(view: View, dataset: str, title: str, metric: str, unit: str) -> Block | None:
    """One metric of every device or interface over time, the eight highest by mean; None when nothing was measured."""
    instances = view.machine.instances.get(dataset, {})
    means = {
        name: float(np.nanmean(values))
        for name, samples in instances.items()
        if (values := samples.column(metric)) is not None and not np.isnan(values).all()
    }
    names = sorted(sorted(means, key=lambda name: (-means[name], name))[: len(LIGHT)])
    if not names:
        return None
    rows = [row for name in names for row in _instance_rows(view, name, instances[name], metric, len(names))]
    named = [Measure(name, name, unit, lambda _: None) for name in names]
    spec = charts.time_series(title, unit, named, height=150, utc=True, interactive=False)
    said = "; ".join(f"{name}: mean {number(means[name], unit)}" for name in names)
    more = len(means) - len(names)
    caption = said + (f"; {count(more, 'more')} not drawn." if more else ".")
    return Figure(title, caption, f"{title} over time. {caption}", view.draw(spec, rows))


def instance_table(view: View, dataset: str, title: str, metrics: Mapping[str, str]) -> Block | None:
    """Mean / p95 / highest of several metrics of every device or interface; None when nothing was measured.

    metrics: name of the metric -> head of its column, with the unit.
    """
    instances = view.machine.instances.get(dataset, {})
    rows = [(name, *(_three(samples, metric) for metric in metrics)) for name, samples in instances.items()]
    if not any(cell for row in rows for cell in row[1:]):
        return None
    kept = tuple(rows[:MAXIMUM_INSTANCES])
    more = f", {len(kept)} of {len(rows):,}" if len(rows) > len(kept) else ""
    heads = ((DATASETS[dataset].instance or "").capitalize(), *metrics.values())
    return Table(f"{title}: mean / p95 / highest{more}", tuple(heads), kept, tuple(range(1, len(heads))))


def _three(samples: Samples, metric: str) -> str:
    values = samples.column(metric)
    summary = None if values is None else summarise(samples.times, values)
    return "" if summary is None else " / ".join(map(number, (summary.mean, summary.p95, summary.maximum)))


def distribution(view: View, title: str, name: str) -> tuple[Block, ...]:
    """Histogram and empirical distribution of one measure, side by side."""
    values = view.values(name)
    if values is None:
        return ()
    measure = MEASURES[name]
    bins = [{"from": low, "to": high, "share": share} for low, high, share in histogram(values)]
    steps = [{"value": value, "share": share} for value, share in cumulate(values)]
    caption = _caption(view, {name: values}, [])
    return (
        _half(view, f"{title}: how often", caption, charts.histogram(title, measure.unit, measure), bins),
        _half(
            view,
            f"{title}: share at or below",
            "Read across: this share of samples lay at or below the value underneath.",
            charts.cumulative(title, measure.unit, measure),
            steps,
        ),
    )


def _half(view: View, title: str, caption: str, spec: charts.Spec, rows: Sequence[charts.Row]) -> Figure:
    return Figure(title, caption, f"{title}. {caption}", view.draw(spec, rows, HALF_WIDTH), half=True)


def by_hour(view: View, title: str, name: str) -> Block | None:
    """Day × hour heat map of the last 31 days; None for less than a day of data or nothing measured."""
    values = view.values(name)
    if values is None or view.coverage.end - view.coverage.start < 24 * HOUR:
        return None
    means = day_hour_means(view.local, values)
    days = sorted({day for day, _ in means})[-31:]
    labels = {day: datetime.fromtimestamp(day * 86_400, UTC).strftime("%a %d %b") for day in days}
    rows = [
        {"day": labels[day], "hour": hour, "value": mean}
        for (day, hour), mean in sorted(means.items())
        if day in labels
    ]
    unit = MEASURES[name].unit
    spec = charts.heat_map(title, unit, list(labels.values()), height=max(40, 17 * len(days)))
    (day, hour), top = max(means.items(), key=lambda item: (item[1], item[0]))
    when = datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
    caption = (
        f"Hourly means, wall-clock time. Highest: {number(top, unit)} on {when} at {hour:02d}:00. "
        "An empty cell is an hour without samples."
    )
    return Figure(title, caption, f"{title}. {caption}", view.draw(spec, rows))


def by_weekday(view: View, title: str, name: str) -> Block | None:
    """Weekday × hour heat map; None for less than two weeks of data or nothing measured."""
    hourly = view.hourly(name)
    if hourly is None or hourly.days < 14:
        return None
    # The epoch was a Thursday.
    place = (hourly.hours + 72) % 168
    means = {
        (phase // 24, phase % 24): float(hourly.means[place == phase].mean()) for phase in np.unique(place).tolist()
    }
    rows = [{"day": WEEKDAYS[day], "hour": hour, "value": mean} for (day, hour), mean in sorted(means.items())]
    unit = MEASURES[name].unit
    day, hour = max(means, key=lambda cell: (means[cell], cell))
    caption = (
        f"Means of {number(hourly.days)} days by weekday and hour, wall-clock time. Highest: "
        f"{number(means[day, hour], unit)} on {WEEKDAYS[day]} at {hour:02d}:00."
    )
    return Figure(
        title, caption, f"{title}. {caption}", view.draw(charts.heat_map(title, unit, WEEKDAYS, height=120), rows)
    )


def statistics_table(view: View, title: str, names: Sequence[str]) -> Table:
    """Mean, median, p95, p99, maximum and when, trend and number of samples of each measure."""
    header = ("Metric", "Unit", "Mean", "Median", "p95", "p99", "Max", "Max at", "Trend a day", "Samples")
    rows = tuple(_statistics_row(view, MEASURES[name]) for name in names)
    return Table(title, header, rows, (2, 3, 4, 5, 6, 8, 9))


def _statistics_row(view: View, measure: Measure) -> tuple[str, ...]:
    values = view.values(measure.name)
    summary = None if values is None else summarise(view.samples.times, values)
    if values is None or summary is None:
        return (measure.title, measure.unit, "not measured", "", "", "", "", "", "", "0")
    figures = (summary.mean, summary.median, summary.p95, summary.p99, summary.maximum)
    at = view.clock.at(summary.at).strftime("%m-%d %H:%M")
    return (measure.title, measure.unit, *map(number, figures), at, _trend(view, values), f"{summary.count:,}")


def _trend(view: View, values: Values) -> str:
    trend = fit_trend(view.samples.times, values)
    if trend is None:
        return "under 3 d"
    sign = "+" if trend.per_day > 0 else "−" if trend.per_day < 0 else ""
    amount = f"{sign}{number(abs(trend.per_day))}" if abs(trend.per_day) >= 0.0005 else "about 0"
    return amount + ("" if trend.is_certain else " (n. s.)")


def not_measured(title: str, names: Sequence[str]) -> Paragraph:
    titles = ", ".join(MEASURES[name].title for name in names)
    return Paragraph(f"{title}: not measured. The export has no values of {titles}.")


def _rows(view: View, title: str, values: Values, lines: int) -> list[dict[str, Any]]:
    return _bucket_rows(view, title, view.samples, values, lines)


def _instance_rows(view: View, name: str, samples: Samples, metric: str, lines: int) -> list[dict[str, Any]]:
    values = samples.column(metric)
    return [] if values is None else _bucket_rows(view, name, samples, values, lines)


def _bucket_rows(view: View, title: str, samples: Samples, values: Values, lines: int) -> list[dict[str, Any]]:
    interval = cover(samples.times).interval
    buckets = downsample(samples.times, values, interval, POINTS.get(lines, 240))
    columns = (_plain(buckets.mean), _plain(buckets.minimum), _plain(buckets.maximum))
    times = (buckets.times + view.offset).tolist()
    return [
        {"timestamp": time, "metric": title, "value": mean, "min": low, "max": high}
        for time, mean, low, high in zip(times, *columns, strict=True)
    ]


def _plain(values: Values) -> list[float | None]:
    """Five significant digits are more than a chart shows; NaN becomes null, which breaks the line."""
    return [None if value != value else float(f"{value:.5g}") for value in values.tolist()]


def _maximum(measures: Sequence[Measure], found: Mapping[str, Values], stacked: bool) -> float | None:
    """The whole scale for shares that stack up; one where all is zero, so that the line lies on the floor."""
    if stacked and measures[0].unit == "%":
        return 100
    return None if any(np.nanmax(values) > 0 for values in found.values()) else 1


def _caption(view: View, found: Mapping[str, Values], missing: Sequence[str]) -> str:
    said = [_numbers(view, name, values) for name, values in found.items()]
    absent = [f"Not measured: {', '.join(MEASURES[name].title for name in missing)}."] if missing else []
    return " ".join(["; ".join(said) + ".", *absent])


def _numbers(view: View, name: str, values: Values) -> str:
    summary = summarise(view.samples.times, values)
    return f"{MEASURES[name].title}: not measured" if summary is None else say(summary, MEASURES[name], view.clock)
