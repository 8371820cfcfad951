"""What an alert's evidence and a rule say, in words for people: pages and messages say it alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from alerts import rules
from alerts.models import Comparison, Kind, Rule
from alerts.quantities import Quantity

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def span(length: timedelta | float) -> str:
    """In the two largest units that fit: 45 s, 15 min, 2 h 5 min, 3 d 4 h."""
    left = int(length.total_seconds() if isinstance(length, timedelta) else length)
    parts = []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def number(value: float | None, unit: str = "") -> str:
    """About three digits, with its unit; a dash for what was not measured."""
    if value is None:
        return "–"
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()


def how_bad(evidence: Mapping[str, Any]) -> str:
    """One clause with the value and what it was held against; empty where the evidence has neither."""
    if "silent_seconds" in evidence:
        return _silent(evidence)
    if "pause_seconds" in evidence:
        return f"nothing was evaluated for {span(evidence['pause_seconds'])}"
    if "events" in evidence:
        return _events(evidence)
    if "days_seen" in evidence:
        return _forecast(evidence)
    return _unusual(evidence) if evidence.get("usual") else _measured(evidence)


def working(evidence: Mapping[str, Any]) -> str:
    """What the value rests on: window, samples, history; empty for what is no measurement."""
    if "samples" in evidence:
        mean = f"Mean of {span(evidence['window_seconds'])}, {evidence['samples']} samples"
        known = evidence.get("usual")
        return (
            f"{mean}; its usual comes from {known['hours']} hours in {known['weeks']} weeks." if known else f"{mean}."
        )
    if "days_seen" in evidence:
        return f"From {number(evidence['days_seen'])} days of its growth; the range is the 95 % interval of the slope."
    return ""


def _measured(evidence: Mapping[str, Any]) -> str:
    if "value" not in evidence:
        return ""
    unit, threshold = evidence.get("unit", ""), evidence.get("threshold")
    limit = f", limit {number(threshold, unit)}" if threshold is not None else ""
    return f"{number(evidence['value'], unit)}{limit}"


def _unusual(evidence: Mapping[str, Any]) -> str:
    known, unit = evidence["usual"], evidence.get("unit", "")
    usual = f"{number(known['low'])} to {number(known['high'], unit)}"
    return f"{number(evidence['value'], unit)}; usual at this hour {usual}"


def _forecast(evidence: Mapping[str, Any]) -> str:
    days = evidence.get("days")
    if days is None:
        return "not filling"
    soonest, latest = days
    until = f"{number(soonest)} to {number(latest)} days" if latest is not None else f"{number(soonest)} days or more"
    return f"full in {until}"


def _silent(evidence: Mapping[str, Any]) -> str:
    silent = f"no samples for {span(evidence['silent_seconds'])}"
    count = evidence.get("silent", 1)
    return f"{count} of {evidence['machines']} machines: {silent}" if evidence.get("machines", 1) > 1 else silent


def _events(evidence: Mapping[str, Any]) -> str:
    newest = evidence["events"][-1]
    times = f"{evidence['count']} times, newest: " if evidence.get("count", 1) > 1 else ""
    return f"{times}{newest['detail'] or newest['kind'].replace('_', ' ')}"


def of_rule(rule: Rule) -> str:
    """When it fires and when that is over, in one sentence, and for whom."""
    watched = rules.quantity_of(rule)
    title = watched.title if watched else rule.quantity
    unit = watched.unit if isinstance(watched, Quantity) else ""
    said = _SENTENCES[Kind(rule.kind)](rule, title, unit)
    scope = _scope(rule)
    return f"{said[0].upper()}{said[1:]}{scope}."


def _threshold(rule: Rule, title: str, unit: str) -> str:
    over = "" if rule.clear_threshold is None else f", over beyond {number(rule.clear_threshold, unit)}"
    side = Comparison(rule.comparison).label
    return f"{title} {side} {number(rule.threshold, unit)}, mean of {span(rule.window_seconds)}{_lasting(rule)}{over}"


def _no_data(rule: Rule, title: str, unit: str) -> str:
    return f"no samples for {span(rule.grace_seconds)}"


def _anomaly(rule: Rule, title: str, unit: str) -> str:
    side = "above" if rule.comparison == Comparison.ABOVE else "below"
    least = f" and {number(rule.least_deviation, unit)}" if rule.least_deviation else ""
    off = f"{number(rule.threshold)} robust deviations{least} {side} its usual for the hour of the week"
    return f"{title} {off}, mean of {span(rule.window_seconds)}{_lasting(rule)}"


def _filling(rule: Rule, title: str, unit: str) -> str:
    return f"{title} {number(rule.threshold)} days or sooner, at the slow end of the 95 % interval"


def _event(rule: Rule, title: str, unit: str) -> str:
    return f"{title}, open until {span(rule.window_seconds)} have passed without another"


_SENTENCES = {
    Kind.THRESHOLD: _threshold, Kind.NO_DATA: _no_data, Kind.ANOMALY: _anomaly, Kind.FORECAST: _filling,
    Kind.EVENT: _event,
}  # fmt: skip


def _lasting(rule: Rule) -> str:
    return f", for {span(rule.grace_seconds)}" if rule.grace_seconds else ""


def _scope(rule: Rule) -> str:
    parts = [", ".join(rule.machine_ids), ", ".join(f"tag {tag}" for tag in rule.tags)]
    named = " and ".join(part for part in parts if part)
    devices = f"; devices {rule.instance_pattern}" if rule.instance_pattern else ""
    return (f"; on {named}" if named else "") + devices
