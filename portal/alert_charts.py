"""Charts of alerts: the value that a rule judged, with its levels, drawn on the server as in reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from markupsafe import Markup

from alerts import rules
from alerts.models import Alert, Kind, Rule
from alerts.quantities import QUANTITIES, Quantity
from alerts.scene import FRESH
from alerts.sending import pictures
from analysis import windows
from reports import charts, inline, svg

BEFORE = timedelta(hours=2)
LONGEST = timedelta(days=2)
POINTS = 400
WIDE, HALF, HEIGHT = 960, 640, 200
Point = tuple[datetime, float | None]


@dataclass(frozen=True)
class Line:
    """A line's name in the chart's rows, and in its legend."""

    name: str
    title: str


def of_alert(alert: Alert, now: datetime) -> Markup | None:
    """From two hours before its condition was met to an hour after it was over; of a forecast the days behind it.

    None where nothing is measured.
    """
    rule = alert.rule
    if rule is not None and rule.kind == Kind.FORECAST:
        return _filling(alert)
    quantity = QUANTITIES.get(rule.quantity) if rule and rule.kind in (Kind.THRESHOLD, Kind.ANOMALY) else None
    if rule is None or quantity is None or alert.collector_id is None:
        return None
    start = alert.since - max(BEFORE, 4 * rules.window(rule))
    end = min(now, (alert.resolved_at or now) + BEFORE / 2, start + LONGEST)
    points = judged(rule, quantity, alert.collector_id, start, end).get(alert.instance, ())
    moments = [(alert.since, "condition met"), (alert.resolved_at, "over")]
    marks = [(at, label) for at, label in moments if at is not None]
    return draw(rule, quantity, points, start, end, marks)


def _filling(alert: Alert) -> Markup | None:
    picture = pictures.of(alert)
    if picture is None:
        return None
    start, end = picture.moments[0], picture.moments[-1]
    lines = [Line("used", picture.title), *([Line("full", "full")] if picture.threshold else [])]
    rows = [_row(at, picture.title, value) for at, value in zip(picture.moments, picture.values, strict=True)]
    rows += [_row(at, "full", picture.threshold) for at in (start, end) if picture.threshold]
    spec = charts.time_series("", picture.unit, lines, height=HEIGHT, utc=True, interactive=False)
    drawn = svg.draw(charts.with_rows(spec, rows, start=_ms(start), end=_ms(end), width=WIDE))
    return inline.themed(drawn, "alert", f"{picture.title} from {start:%Y-%m-%d} to {end:%Y-%m-%d}, in {picture.unit}.")


def judged(
    rule: Rule, quantity: Quantity, collector_id: int, start: datetime, end: datetime
) -> dict[str, Sequence[Point]]:
    """What the rule judges of a machine at each of its instants, by device; None where nothing can be said."""
    ends = list(rules.ticks(start, end, rules.step(rule)))
    slid = windows.slide(quantity.dataset, quantity.of_sample(), collector_id, ends, rules.window(rule), FRESH)
    return {
        instance: [(one.at, one.means[0] if one.is_covered else None) for one in found]
        for instance, found in slid.items()
    }


def draw(
    rule: Rule, quantity: Quantity, points: Sequence[Point], start: datetime, end: datetime,
    marks: Iterable[tuple[datetime, str]] = (), *, width: int = WIDE,
) -> Markup:  # fmt: skip
    """What was judged over time, the levels of a threshold, and moments as dashed lines. Times are UTC."""
    levels = _levels(rule)
    lines = [Line("value", quantity.title), *(Line(name, name) for name, _ in levels)]
    spec = charts.time_series("", quantity.unit, lines, height=HEIGHT, utc=True, interactive=False)
    rows = [_row(at, quantity.title, value) for at, value in thinned(rule, points)]
    rows += [_row(at, name, level) for name, level in levels for at in (start, end)]
    spec = charts.marked(spec, [{"timestamp": _ms(at), "label": label} for at, label in marks])
    drawn = svg.draw(charts.with_rows(spec, rows, start=_ms(start), end=_ms(end), width=width))
    alt = f"{quantity.title} from {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, as the rule judged it."
    return inline.themed(drawn, "alert", alt)


def thinned(rule: Rule, points: Sequence[Point]) -> list[Point]:
    """At most POINTS of them: of each stretch the one nearest to firing, so that no peak is lost, and gaps stay."""
    size = -(-len(points) // POINTS) or 1
    sign = 1 if rules.levels(rule).is_above else -1
    return [_nearest(points[first : first + size], sign) for first in range(0, len(points), size)]


def _nearest(stretch: Sequence[Point], sign: int) -> Point:
    known = [(sign * value, at, value) for at, value in stretch if value is not None]
    if not known:
        return stretch[0]
    _, at, value = max(known)
    return at, value


def _levels(rule: Rule) -> list[tuple[str, float]]:
    if rule.kind != Kind.THRESHOLD or rule.threshold is None:
        return []
    clear = [] if rule.clear_threshold in (None, rule.threshold) else [("clears at", float(rule.clear_threshold or 0))]
    return [("fires at", rule.threshold), *clear]


def _row(at: datetime, metric: str, value: float | None) -> dict[str, object]:
    return {"timestamp": _ms(at), "metric": metric, "value": value}


def _ms(at: datetime) -> float:
    return at.timestamp() * 1000
