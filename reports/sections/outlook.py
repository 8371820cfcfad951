"""Patterns and forecast: lasting changes, unusual hours, what moves together, and the days to come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from analysis.trends import MINIMUM_TREND_DAYS, Trend, fit_trend
from reports import charts
from reports.document import Block, Figure, Paragraph, Table
from reports.figures import View, over_time
from reports.measures import MEASURES, Measure
from reports.patterns import (
    ANOMALY_SCORE,
    MINIMUM_PATTERN_DAYS,
    Anomaly,
    Change,
    Forecast,
    Hourly,
    correlate,
    find_anomalies,
    find_changes,
    forecast,
    since,
)
from reports.statistics import HOUR
from reports.wording import count, number

WATCHED = ("cpu_busy", "mem_used_percent", "disk_mb", "net_mb")
FORECAST = ("cpu_busy", "mem_used_percent")
CORRELATED = (
    "cpu_busy",
    "cpu_iowait",
    "cpu_steal",
    "mem_used_percent",
    "disk_mb",
    "disk_await_ms",
    "net_mb",
    "psi_cpu_some",
    "psi_memory_some",
    "psi_io_some",
)
LEAST = {"cpu_busy": (10.0, 5.0), "mem_used_percent": (5.0, 4.0)}
"""Least anomaly and least lasting change that is worth a word, in the unit; of rates, a share of their p95."""
MAXIMUM_ANOMALIES = 12
RELATED = 0.5


def build(view: View) -> tuple[Block, ...]:
    series = {name: hourly for name in WATCHED if (hourly := view.hourly(name)) is not None and hourly.hours.size > 1}
    changes = {name: find_changes(hourly, _least(name, hourly)[1]) for name, hourly in series.items()}
    return (
        *_trends(view, tuple(series)),
        *_changes(view, changes),
        *_anomalies(series),
        *[block for name in FORECAST if name in series for block in _forecast(view, name, series[name], changes[name])],
        *_correlation(view),
    )


def _least(name: str, hourly: Hourly) -> tuple[float, float]:
    if name in LEAST:
        return LEAST[name]
    high = float(np.percentile(hourly.means, 95))
    return high or 1e-9, 0.5 * high or 1e-9


def _pattern(hourly: Hourly) -> str:
    return "hour of the week" if hourly.period == 168 else "hour of the day"


def _moment(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%d %H:%M")


def _trends(view: View, names: Sequence[str]) -> tuple[Block, ...]:
    """How each measure grows or falls, with the interval of that."""
    found = {name: trend for name in names if (trend := _fit(view, name)) is not None}
    if not found:
        return (Paragraph(f"Trends: need {MINIMUM_TREND_DAYS} days of data."),)
    header = ("Metric", "Change a day", "95 % interval", "Days", "Verdict")
    rows = tuple(_trend_row(MEASURES[name], trend) for name, trend in found.items())
    return (Table("Trends of 24-hour means, the daily pattern thereby taken out", header, rows, (1, 2, 3)),)


def _fit(view: View, name: str) -> Trend | None:
    values = view.values(name)
    return None if values is None else fit_trend(view.samples.times, values)


def _trend_row(measure: Measure, trend: Trend) -> tuple[str, ...]:
    interval = "needs 5 days"
    if trend.low is not None and trend.high is not None:
        interval = f"{_signed(trend.low)} to {_signed(trend.high)}"
    direction = "rises" if trend.per_day > 0 else "falls"
    unit = "points" if measure.unit == "%" else measure.unit
    change = f"{_signed(trend.per_day)} {unit}".strip()
    return (measure.title, change, interval, str(trend.days), direction if trend.is_certain else "no certain trend")


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'}{number(abs(value))}"


def _changes(view: View, changes: dict[str, list[Change] | None]) -> tuple[Block, ...]:
    known = {name: found for name, found in changes.items() if found is not None}
    if not known:
        return (Paragraph(f"Lasting changes and unusual hours: a pattern needs {MINIMUM_PATTERN_DAYS} days of data."),)
    figures = [_change_figure(view, name, found) for name, found in known.items() if found]
    quiet = ", ".join(MEASURES[name].title for name, found in known.items() if not found)
    said = f"No lasting change of level was found in: {quiet} (hourly means, usual hours of the day taken out)."
    return (*figures, *([Paragraph(said)] if quiet else []))


def _change_figure(view: View, name: str, changes: Sequence[Change]) -> Block:
    measure = MEASURES[name]
    block = over_time(view, f"{measure.title}: lasting change of level", (name,), band=True)
    if not isinstance(block, Figure):
        return block
    told = [
        f"on {_moment(change.hour)} from {number(change.before, measure.unit)} to {number(change.after, measure.unit)}"
        for change in changes
    ]
    marks = [{"timestamp": change.hour * HOUR, "label": said} for change, said in zip(changes, told, strict=True)]
    caption = f"Level changed {'; '.join(told)} (medians, usual hours of the day taken out). {block.caption}"
    return Figure(block.title, caption, f"{block.title}. {caption}", charts.marked(dict(block.spec), marks))


def _anomalies(series: dict[str, Hourly]) -> tuple[Block, ...]:
    found = {name: find_anomalies(hourly, _least(name, hourly)[0]) for name, hourly in series.items()}
    known = {name: anomalies for name, anomalies in found.items() if anomalies is not None}
    rows = sorted(
        ((anomaly, name) for name, anomalies in known.items() for anomaly in anomalies), key=lambda row: -row[0].score
    )
    if not known:
        return ()
    pattern = _pattern(next(iter(series.values())))
    basis = f"hourly means against the median of the same {pattern}, {ANOMALY_SCORE:g} robust deviations"
    if not rows:
        return (Paragraph(f"No unusual hours were found in: {_titles(known)} ({basis})."),)
    many = f", the {MAXIMUM_ANOMALIES} most unusual of {len(rows):,}" if len(rows) > MAXIMUM_ANOMALIES else ""
    title = f"Unusual hours{many}"
    cells = tuple(_anomaly_row(anomaly, MEASURES[name]) for anomaly, name in rows[:MAXIMUM_ANOMALIES])
    return (
        Table(title, ("Metric", "From", "To", "Highest hour", "Usual then", "Deviations"), cells, (3, 4, 5)),
        Paragraph(f"Looked at: {_titles(known)}; {basis}."),
    )


def _titles(names: dict[str, list[Anomaly]]) -> str:
    return ", ".join(MEASURES[name].title for name in names)


def _anomaly_row(anomaly: Anomaly, measure: Measure) -> tuple[str, ...]:
    values = (number(anomaly.mean, measure.unit), number(anomaly.usual, measure.unit), number(anomaly.score))
    return (measure.title, _moment(anomaly.start), _moment(anomaly.end), *values)


def _forecast(view: View, name: str, hourly: Hourly, changes: list[Change] | None) -> tuple[Block, ...]:
    settled = since(hourly, changes[-1].hour) if changes else hourly
    found = forecast(settled)
    title = f"{MEASURES[name].title}: forecast"
    if isinstance(found, str):
        reason = f"since the change of {_moment(changes[-1].hour)}, " if changes else ""
        return (Paragraph(f"{title}: none, because {reason}{found}"),)
    return (_forecast_figure(view, title, MEASURES[name], settled, found),)


def _forecast_figure(view: View, title: str, measure: Measure, hourly: Hourly, found: Forecast) -> Figure:
    past = since(hourly, int(hourly.hours[-1]) - 14 * 24)
    rows = [
        {"timestamp": hour * HOUR, "metric": "Measured", "value": mean, "min": mean, "max": mean}
        for hour, mean in zip(past.hours.tolist(), np.round(past.means, 4).tolist(), strict=True)
    ]
    top = measure.maximum or float("inf")
    columns = [np.round(np.clip(values, 0, top), 4).tolist() for values in (found.middle, found.low, found.high)]
    rows += [
        {"timestamp": hour * HOUR, "metric": "Forecast", "value": middle, "min": low, "max": high}
        for hour, middle, low, high in zip(found.hours.tolist(), *columns, strict=True)
    ]
    caption = (
        f"Hourly means. Forecast from the usual {_pattern(hourly)}, the level of the last three days and the trend "
        f"where it is certain; shade: 90 % range. Tested on the last {count(found.tested, 'day')}, each forecast from "
        f"what lay before it: mean miss {number(found.error, measure.unit)} (repeating the day before: "
        f"{number(found.naive, measure.unit)}). Highest hour ahead: {number(max(columns[0]), measure.unit)}."
    )
    named = [Measure(word, word, measure.unit, lambda _: None) for word in ("Measured", "Forecast")]
    spec = charts.time_series(title, measure.unit, named, band=True, height=130, utc=True, interactive=False)
    span = (int(past.hours[0]) * HOUR, (int(found.hours[-1]) + 1) * HOUR)
    return Figure(title, caption, f"{title}. {caption}", view.draw(spec, rows, span=span))


def _correlation(view: View) -> tuple[Block, ...]:
    columns = {
        name: values for name in CORRELATED if (values := view.values(name)) is not None and np.nanstd(values) > 0
    }
    pairs = correlate(view.local, columns) if len(columns) > 1 else {}
    if not pairs:
        return (Paragraph("What moves together: needs two days of two metrics that vary."),)
    names = {name: f"{at} {MEASURES[name].title}" for at, name in enumerate(columns, 1)}
    rows = [
        {"first": names[a], "second": names[b].split(" ")[0], "value": 1.0 if a == b else _pair(pairs, a, b)}
        for a in columns
        for b in columns
    ]
    title = "What moves together"
    caption = (
        "Rank correlation (Spearman) of means of 15 minutes, usual values of the time of day or week taken out: 1 rise "
        f"together, −1 one falls when the other rises, 0 unrelated. {_notes(pairs)}"
    )
    return (Figure(title, caption, f"{title}. {caption}", view.draw(charts.matrix(title, list(names.values())), rows)),)


def _pair(pairs: dict[tuple[str, str], tuple[float, float, int]], a: str, b: str) -> float:
    return round(pairs[(a, b) if (a, b) in pairs else (b, a)][0], 2) + 0.0


def _notes(pairs: dict[tuple[str, str], tuple[float, float, int]]) -> str:
    """The strongest pairs in words, with who follows whom."""
    strong = sorted(((abs(best), pair) for pair, (_, best, _) in pairs.items() if abs(best) >= RELATED), reverse=True)
    if not strong:
        return f"No pair reaches {RELATED:g} at any lag of up to two hours."
    return "; ".join(_note(pair, *pairs[pair]) for _, pair in strong[:6]) + "."


def _note(pair: tuple[str, str], now: float, best: float, lag: int) -> str:
    first, second = (MEASURES[name].title for name in (pair if lag >= 0 else pair[::-1]))
    if lag == 0 or abs(best) - abs(now) < 0.1:
        return f"{first} and {second}: {now:.2f} at the same time".replace("-", "−")
    return f"{second} follows {first} by about {abs(lag) * 15} min: {best:.2f}".replace("-", "−")
