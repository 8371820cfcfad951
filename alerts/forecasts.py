"""Rules of kind forecast: filesystems and memory that will be full within days, judged once an hour.

The condition is met when even the slow end of the 95 % interval of the growth fills it in time, and clear when not even
the fast end does, or when there is no certain growth. A short history is no verdict (trap 44).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts import rules
from alerts.book import Evidence, Found, Place
from alerts.judging import Verdict
from alerts.models import Kind, Rule
from alerts.quantities import STORES
from alerts.scene import Scene
from analysis import growth
from analysis.growth import Hour
from analysis.trends import Filling
from analysis.windows import rounded

SHORT = "history under five days"
ROLLED_UP = timedelta(hours=1)
"""The newest hour is rolled up a quarter of an hour after it ended, and is left out."""


def judge(scene: Scene, done: datetime | None) -> datetime | None:
    """Evaluate the last full hour, if that has not been done; returns the hour that is done now."""
    (*_, tick) = rules.ticks(scene.now - timedelta(hours=2), scene.now, timedelta(hours=1))
    if done is not None and tick <= done:
        return done
    for rule in scene.of_kind(Kind.FORECAST):
        for (pk, instance), hours in history(rule, sorted(scene.scope(rule)), tick, tick).items():
            if pk in scene.collectors and rules.matches(rule, instance):
                scene.book.judge(rule, Place(pk, instance), verdict(rule, hours, tick))
    return tick


def history(
    rule: Rule, collector_ids: Sequence[int], first: datetime, last: datetime
) -> dict[tuple[int, str], list[Hour]]:
    """The hours that evaluations from `first` to `last` look at."""
    store = STORES[rule.quantity]
    used, total = store.over_hour()
    start = first - ROLLED_UP - timedelta(days=growth.DAYS)
    return growth.read(store.dataset, used, total, collector_ids, start, last - ROLLED_UP)


def verdict(rule: Rule, hours: Sequence[Hour], at: datetime) -> Found:
    found = growth.filling(hours, at - ROLLED_UP)
    middle = _middle(found)
    return Found(at, _verdict(rule, found), middle, lambda: _evidence(rule, found, middle, at))


def _verdict(rule: Rule, found: Filling | None) -> Verdict:
    if found is None or found.reason == SHORT:
        return Verdict.UNKNOWN
    if found.days is None:
        return Verdict.CLEAR
    levels, (soonest, latest) = rules.levels(rule), found.days
    if latest <= levels.threshold:
        return Verdict.MET
    return Verdict.CLEAR if soonest > levels.clear else Verdict.BETWEEN


def _middle(found: Filling | None) -> float | None:
    """Days until full at the median slope."""
    if found is None or found.days is None or found.trend is None:
        return None
    return rounded(max(found.total - found.used, 0.0) / found.trend.per_day)


def _evidence(rule: Rule, found: Filling | None, middle: float | None, at: datetime) -> Evidence:
    store = STORES[rule.quantity]
    told: Evidence = {
        "quantity": rule.quantity, "title": store.title, "unit": store.unit, "value": middle,
        "threshold": rule.threshold,
        "clear_threshold": rule.clear_threshold, "until": at.isoformat(),
        "from": (at - timedelta(days=growth.DAYS)).isoformat(),
    }  # fmt: skip
    if found is None or found.trend is None:
        return told
    trend = found.trend
    return told | {
        "used_mb": rounded(found.used), "total_mb": rounded(found.total), "reason": found.reason,
        "mb_a_day": [None if value is None else rounded(value) for value in (trend.low, trend.per_day, trend.high)],
        "days": None if found.days is None else [rounded(days) for days in found.days], "days_seen": trend.days,
    }  # fmt: skip
