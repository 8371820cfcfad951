"""The monthly look at the rules: which are noisy, which never fire, whose alerts nobody acknowledges; what to change.

A suggestion is reckoned from the alerts that there were, says what would be left of them, and is applied as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db.models import Count

from alerts import handling
from alerts.models import Alert, Kind, Message, Rule, Severity

DAYS = 30
NOISY, IGNORED = 10, 5
"""Alerts in the period from which on a rule counts as noisy, and as one that nobody heeds."""
SHORT_SHARE = 2 / 3
GRACES = (300, 600, 900, 1800, 3600, 7200, 14_400)


@dataclass(frozen=True)
class Suggestion:
    """changes: field of Rule → value. sentence: why, and what would be left. key: the same for the same changes."""

    changes: Mapping[str, Any]
    sentence: str

    @property
    def key(self) -> str:
        return ",".join(f"{name}={value}" for name, value in sorted(self.changes.items()))


@dataclass(frozen=True)
class Noise:
    """What a rule did in the period. busiest: the machine or cause with most of the alerts, and how many these are."""

    rule: Rule
    alerts: int
    acknowledged: int
    messages: int
    median_length: timedelta
    busiest: tuple[str, int]
    suggestion: Suggestion | None


@dataclass(frozen=True)
class Review:
    """noisy: noisiest first. ignored: fired often, never acknowledged. never_fired: enabled all the time."""

    start: datetime
    end: datetime
    noisy: Sequence[Noise]
    ignored: Sequence[Noise]
    never_fired: Sequence[Rule]


def review(now: datetime, days: int = DAYS) -> Review:
    """Three queries, and one for each rule that fired too often."""
    start = now - timedelta(days=days)
    rules = list(Rule.objects.all())
    found: dict[int, list[Alert]] = {}
    for alert in Alert.objects.ever_fired().filter(fired_at__gt=start, fired_at__lte=now).select_related("collector"):
        found.setdefault(alert.rule_id or 0, []).append(alert)
    told = dict(
        Message.objects.filter(created_at__gt=start, created_at__lte=now)
        .values_list("alerts__rule").annotate(number=Count("pk", distinct=True))
    )  # fmt: skip
    noises = [_noise(rule, found[rule.pk], told.get(rule.pk, 0), now) for rule in rules if rule.pk in found]
    return Review(
        start, now,
        noisy=sorted((one for one in noises if one.alerts >= NOISY), key=lambda one: -one.alerts),
        ignored=[one for one in noises if one.alerts >= IGNORED and not one.acknowledged],
        never_fired=[rule for rule in rules if rule.enabled and rule.pk not in found and rule.created_at <= start],
    )  # fmt: skip


def apply(rule: Rule, key: str, now: datetime, *, actor: str, ip: str | None) -> bool:
    """Change the rule as suggested; False when that is not the suggestion (any more)."""
    wanted = [one.suggestion for one in _of(rule, now) if one.suggestion and one.suggestion.key == key]
    if not wanted:
        return False
    for field, value in wanted[0].changes.items():
        setattr(rule, field, value)
    handling.save_rule(rule, actor=actor, ip=ip)
    return True


def _of(rule: Rule, now: datetime) -> list[Noise]:
    found = review(now)
    return [one for one in (*found.noisy, *found.ignored) if one.rule.pk == rule.pk]


def _noise(rule: Rule, alerts: Sequence[Alert], messages: int, now: datetime) -> Noise:
    seconds = median(((alert.resolved_at or now) - alert.since).total_seconds() for alert in alerts)
    places: dict[str, int] = {}
    for alert in alerts:
        name = alert.collector.machine_id if alert.collector else alert.cause
        places[name] = places.get(name, 0) + 1
    return Noise(
        rule, len(alerts), sum(alert.acknowledged_at is not None for alert in alerts), messages,
        timedelta(seconds=seconds),
        max(places.items(), key=lambda place: place[1]), suggest(rule, alerts, now),
    )  # fmt: skip


def suggest(rule: Rule, alerts: Sequence[Alert], now: datetime) -> Suggestion | None:
    """None: the alerts show nothing that would help."""
    if len(alerts) >= NOISY and rule.kind in (Kind.THRESHOLD, Kind.ANOMALY, Kind.NO_DATA):
        longer = _longer_grace(rule, alerts, now)
        if longer:
            return longer
    return _lower_severity(rule, alerts) if len(alerts) >= IGNORED else None


def _longer_grace(rule: Rule, alerts: Sequence[Alert], now: datetime) -> Suggestion | None:
    """The shortest grace time that two thirds of the alerts would not have lasted for."""
    lengths = [((alert.resolved_at or now) - alert.since).total_seconds() for alert in alerts]
    for grace in GRACES:
        left = sum(length >= grace for length in lengths)
        if grace > rule.grace_seconds and left <= (1 - SHORT_SHARE) * len(lengths):
            sentence = (
                f"{len(lengths) - left} of {len(lengths)} alerts lasted less than {grace // 60} minutes: with that as "
                f"grace time {left} would be left."
            )
            return Suggestion({"grace_seconds": grace}, sentence)
    return None


def _lower_severity(rule: Rule, alerts: Sequence[Alert]) -> Suggestion | None:
    order = list(Severity.values)
    if any(alert.acknowledged_at for alert in alerts) or rule.severity == Severity.INFO:
        return None
    lower = order[order.index(rule.severity) - 1]
    sentence = f"None of {len(alerts)} alerts was acknowledged: {lower} may be all that they are worth."
    return Suggestion({"severity": lower}, sentence)
