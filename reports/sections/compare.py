"""Before and after one moment, and machines side by side, with work for money where prices are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from reports import charts
from reports.comparison import Compared, Period, compare, within
from reports.document import Block, Figure, Paragraph, Table
from reports.figures import View
from reports.measures import MEASURES, Measure, count_cores
from reports.patterns import Hourly
from reports.statistics import HOUR, summarise
from reports.wording import count, number

COMPARED = (
    "cpu_busy",
    "load_per_core",
    "psi_cpu_some",
    "mem_used_percent",
    "psi_memory_some",
    "disk_mb",
    "disk_await_ms",
    "psi_io_some",
    "net_mb",
)
DRAWN = ("cpu_busy", "mem_used_percent", "disk_await_ms")
TOGETHER = ("cpu_busy", "mem_used_percent", "disk_mb", "net_mb")
SIDE_BY_SIDE = ("cpu_busy", "psi_cpu_some", "mem_used_percent", "disk_mb", "disk_await_ms", "net_mb")


def before_and_after(view: View, before: Period, after: Period) -> tuple[Block, ...]:
    """Every measure in both periods; those that really changed are named first."""
    pairs = {name: pair for name in COMPARED if (pair := _periods(view, name, before, after)) is not None}
    found = {name: compared for name, (a, b) in pairs.items() if (compared := compare(a, b, len(pairs))) is not None}
    periods = f"Before: {_say(view, before)}. After: {_say(view, after)}."
    if not found:
        return (
            Paragraph(f"{periods} No comparison: it needs four well covered days whose weekday lies in both periods."),
        )
    figures = [_day_figure(view, name, *pairs[name]) for name in DRAWN if name in found]
    return (Paragraph(f"{periods} {_headline(found)}"), _table(found), *figures)


def _periods(view: View, name: str, before: Period, after: Period) -> tuple[Hourly, Hourly] | None:
    hourly = view.hourly(name)
    if hourly is None:
        return None
    first, second = (
        within(hourly, *((moment + view.clock.offset(moment)) / HOUR for moment in (period.start, period.end)))
        for period in (before, after)
    )
    return first, second


def _say(view: View, period: Period) -> str:
    return f"{view.clock.say(period.start)} to {view.clock.say(period.end)}"


def _headline(found: Mapping[str, Compared]) -> str:
    real = [f"{MEASURES[name].title} is {_change(name, each)}" for name, each in found.items() if each.is_real]
    if not real:
        return "No real change: every interval holds zero, or the change is under three percent."
    return f"{'; '.join(real)}. {count(len(found) - len(real), 'other metric')} did not really change."


def _change(name: str, compared: Compared) -> str:
    share = f" ({compared.change / compared.before * 100:+.0f} %)" if compared.before else ""
    amount = number(abs(compared.change), _points(name))
    return f"{compared.verdict} by {amount}{share}".replace("-", "−")


def _points(name: str) -> str:
    return "points" if MEASURES[name].unit == "%" else MEASURES[name].unit


def _table(found: Mapping[str, Compared]) -> Table:
    header = ("Metric", "Before", "After", "Change", "Interval", "Cliff's δ", "Days", "Verdict")
    rows = tuple(
        (
            MEASURES[name].title,
            number(each.before, MEASURES[name].unit),
            number(each.after, MEASURES[name].unit),
            _signed(each.change),
            f"{_signed(each.low)} to {_signed(each.high)}",
            f"{each.delta:+.2f}".replace("-", "−"),
            str(each.days),
            each.verdict,
        )
        for name, each in found.items()
    )
    title = "Means of days matched by weekday and hour; the intervals hold together at 95 %"
    return Table(title, header, rows, (1, 2, 3, 4, 5, 6))


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'}{number(abs(value))}"


def _day_figure(view: View, name: str, before: Hourly, after: Hourly) -> Figure:
    measure = MEASURES[name]
    title = f"{measure.title} in a usual day"
    rows = [
        {"hour": hour + 0.5, "metric": word, "value": float(np.median(hourly.means[hourly.hours % 24 == hour]))}
        for word, hourly in (("Before", before), ("After", after))
        for hour in range(24)
        if (hourly.hours % 24 == hour).any()
    ]
    named = [Measure(word, word, measure.unit, lambda _: None) for word in ("Before", "After")]
    caption = "Median of the hour over the days of each period, wall-clock time."
    spec = charts.over_day(title, measure.unit, named)
    return Figure(title, caption, f"{title}. {caption}", view.draw(spec, rows))


def side_by_side(views: Sequence[View], prices: Mapping[str, float]) -> tuple[Block, ...]:
    """Mean and p95 of each measure by machine; with prices, work for each unit of money."""
    header = ("Machine", *(MEASURES[name].title for name in SIDE_BY_SIDE))
    rows = tuple((view.machine.name, *(_cell(view, name) for name in SIDE_BY_SIDE)) for view in views)
    table = Table("Mean and p95 of each machine", header, rows, tuple(range(1, len(header))))
    priced = [view for view in views if view.machine.name in prices]
    return (*_together(views), table, *([_money(priced, prices)] if priced else []))


def _together(views: Sequence[View]) -> tuple[Block, ...]:
    """Measures of every machine by hour, each in one chart."""
    return tuple(figure for name in TOGETHER for figure in _in_one(views, name))


def _in_one(views: Sequence[View], measure: str) -> tuple[Block, ...]:
    hourly = {view.machine.name: found for view in views if (found := view.hourly(measure)) is not None}
    if len(hourly) < 2:
        return ()
    title, unit = f"{MEASURES[measure].title} of each machine", MEASURES[measure].unit
    rows = [row for name, series in hourly.items() for row in _hour_rows(name, series)]
    named = [Measure(name, name, unit, lambda _: None) for name in hourly]
    spec = charts.time_series(title, unit, named, height=150, utc=True, interactive=False)
    edges = [edge for series in hourly.values() for edge in (int(series.hours[0]), int(series.hours[-1]) + 1)]
    caption = "Hourly means, wall-clock time."
    drawn = views[0].draw(spec, rows, span=(min(edges) * HOUR, max(edges) * HOUR))
    return (Figure(title, caption, f"{title}. {caption}", drawn),)


def _hour_rows(name: str, hourly: Hourly) -> list[charts.Row]:
    """A row an hour; null in the first hour of a gap, which breaks the line."""
    rows: list[charts.Row] = []
    for hour, mean in zip(hourly.hours.tolist(), np.round(hourly.means, 3).tolist(), strict=True):
        if rows and hour * HOUR - rows[-1]["timestamp"] > 2 * HOUR:
            rows.append({"timestamp": rows[-1]["timestamp"] + HOUR, "metric": name, "value": None})
        rows.append({"timestamp": hour * HOUR, "metric": name, "value": mean})
    return rows


def _cell(view: View, name: str) -> str:
    values = view.values(name)
    summary = None if values is None else summarise(view.samples.times, values)
    if summary is None:
        return "not measured"
    return f"{number(summary.mean)} / {number(summary.p95, MEASURES[name].unit)}"


def _money(views: Sequence[View], prices: Mapping[str, float]) -> Table:
    header = ("Machine", "Price per hour", "Busy cores", "Core hours for 1", "Disk GB for 1", "Network GB for 1")
    rows = tuple(_money_row(view, prices[view.machine.name]) for view in views)
    return Table("Work for each unit of money, at the means of the period", header, rows, (1, 2, 3, 4, 5))


def _money_row(view: View, price: float) -> tuple[str, ...]:
    cores = view.samples.cores
    busy = _mean(view, "cpu_busy")
    number_of_cores = None if cores is None else float(np.nanmean(count_cores(cores)))
    busy_cores = None if busy is None or number_of_cores is None else busy / 100 * number_of_cores
    moved = [None if (mean := _mean(view, name)) is None else mean * 3600 / 1024 for name in ("disk_mb", "net_mb")]
    figures = [None if work is None else work / price for work in (busy_cores, *moved)]
    return (view.machine.name, number(price), *(_or_not(value) for value in (busy_cores, *figures)))


def _mean(view: View, name: str) -> float | None:
    values = view.values(name)
    return None if values is None else float(np.nanmean(values))


def _or_not(value: float | None) -> str:
    return "not measured" if value is None else number(value)
