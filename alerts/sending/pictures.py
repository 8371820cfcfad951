"""What a small chart of an alert shows: the very averages that the rule judged, and its threshold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts import forecasts
from alerts.models import Alert, Kind
from alerts.quantities import Quantity, Store
from alerts.rules import quantity_of
from alerts.scene import FRESH
from analysis import windows
from analysis.windows import Window

POINTS = 120
BEFORE = timedelta(hours=6)
LONGEST = timedelta(days=2)


@dataclass(frozen=True)
class Picture:
    """values: one for each of the moments, None where nothing was measured. threshold: None draws none."""

    title: str
    unit: str
    moments: Sequence[datetime]
    values: Sequence[float | None]
    threshold: float | None


def of(alert: Alert) -> Picture | None:
    """None of what was not measured: silence, events, and rules that are gone."""
    if alert.rule is None or alert.collector_id is None:
        return None
    found = quantity_of(alert.rule)
    if isinstance(found, Quantity):
        return _measured(alert, found)
    return _filling(alert, found) if isinstance(found, Store) else None


def period(alert: Alert) -> tuple[datetime, datetime]:
    """From well before it began until it was last looked at, or over."""
    end = alert.resolved_at or alert.evaluated_at
    return max(alert.since - BEFORE, end - LONGEST), end


def _measured(alert: Alert, quantity: Quantity) -> Picture | None:
    assert alert.rule is not None  # noqa: S101  # `of` looked
    length = timedelta(seconds=alert.rule.window_seconds)
    start, end = period(alert)
    moments = _moments(start, end)
    found = windows.slide(quantity.dataset, quantity.of_sample(), alert.collector_id or 0, moments, length, FRESH)
    threshold = alert.rule.threshold if alert.rule.kind == Kind.THRESHOLD else None
    return _picture(quantity.title, quantity.unit, moments, found.get(alert.instance), threshold)


def _filling(alert: Alert, store: Store) -> Picture | None:
    """What is used of what there is, by the hours that the forecast rests on."""
    assert alert.rule is not None  # noqa: S101
    end = alert.resolved_at or alert.evaluated_at
    found = forecasts.history(alert.rule, [alert.collector_id or 0], end, end)
    hours = [hour for hour in found.get((alert.collector_id or 0, alert.instance), []) if hour.total > 0]
    if not hours:
        return None
    used = [100 * hour.used / hour.total for hour in hours]
    return Picture("Used", "%", [hour.hour for hour in hours], used, 100.0)


def _moments(start: datetime, end: datetime) -> list[datetime]:
    apart = (end - start) / POINTS
    return [start + apart * number for number in range(1, POINTS + 1)]


def _picture(
    title: str, unit: str, moments: Sequence[datetime], found: Iterable[Window] | None, threshold: float | None
) -> Picture | None:
    if found is None:
        return None
    means = {window.at: window.means[0] if window.is_covered else None for window in found}
    return Picture(title, unit, moments, [means.get(moment) for moment in moments], threshold)
