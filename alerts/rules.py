"""What a rule means: whom it watches, at which levels, at which instants; and what is wrong with a senseless one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from alerts.judging import Levels
from alerts.models import Comparison, Grouping, Kind, Rule, Severity
from alerts.quantities import EVENTS, QUANTITIES, STORES, News, Quantity, Store
from collectors.models import Collector, is_machine_id

MINUTE = timedelta(minutes=1)
FINE_WINDOW = timedelta(minutes=15)
WINDOWS = (120, 86_400)
"""Two samples at least, at one a minute."""
GRACES = (0, 7 * 86_400)
LEAST_SILENCE = 120
LONGEST_REPEAT = 43_200
_CHOICES = {
    "kind": Kind.values, "comparison": Comparison.values, "severity": Severity.values, "group_by": Grouping.values,
}  # fmt: skip
_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Complaint:
    """field: a field of Rule; sentence: what is wrong with it, for people."""

    field: str
    sentence: str


def window(rule: Rule) -> timedelta:
    return timedelta(seconds=rule.window_seconds)


def grace(rule: Rule) -> timedelta:
    return timedelta(seconds=rule.grace_seconds)


def levels(rule: Rule) -> Levels:
    """Of a threshold or forecast in its unit; of an anomaly in robust deviations, clear at half of them."""
    threshold = rule.threshold or 0.0
    if rule.kind == Kind.ANOMALY:
        return Levels(True, threshold, threshold / 2 if rule.clear_threshold is None else rule.clear_threshold)
    clear = threshold if rule.clear_threshold is None else rule.clear_threshold
    return Levels(rule.comparison == Comparison.ABOVE and rule.kind != Kind.FORECAST, threshold, clear)


def step(rule: Rule) -> timedelta:
    """How far apart it is evaluated: each minute, five minutes where the window is long, an hour for forecasts."""
    if rule.kind == Kind.FORECAST:
        return timedelta(hours=1)
    return MINUTE if window(rule) <= FINE_WINDOW else 5 * MINUTE


def ticks(after: datetime, until: datetime, apart: timedelta) -> Iterator[datetime]:
    """The instants of evaluation with after < tick ≤ until: the same ones whenever they are asked for."""
    tick = _ORIGIN + ((after - _ORIGIN) // apart + 1) * apart
    while tick <= until:
        yield tick
        tick += apart


def watches(rule: Rule, collector: Collector) -> bool:
    """Whether the machine is in the rule's scope: named, or with one of its tags; a rule with neither takes all."""
    if not rule.machine_ids and not rule.tags:
        return True
    return collector.machine_id in rule.machine_ids or not set(rule.tags).isdisjoint(collector.tags)


def matches(rule: Rule, instance: str) -> bool:
    """Whether a device, interface or mount is meant; `/srv*` takes /srv and all below it."""
    return not rule.instance_pattern or fnmatchcase(instance, rule.instance_pattern)


def scope(rule: Rule, collectors: Sequence[Collector]) -> set[int]:
    return {collector.pk for collector in collectors if watches(rule, collector)}


def quantity_of(rule: Rule) -> Quantity | Store | News | None:
    """What it watches; None for no_data, and where the catalogue lost what a rule of old names."""
    if rule.kind == Kind.FORECAST:
        return STORES.get(rule.quantity)
    if rule.kind == Kind.EVENT:
        return EVENTS.get(rule.quantity)
    return None if rule.kind == Kind.NO_DATA else QUANTITIES.get(rule.quantity)


def complaints(rule: Rule) -> list[Complaint]:
    """Everything that is wrong with it; empty for a rule that can be evaluated."""
    found = [*_about_name(rule), *_about_quantity(rule), *_about_levels(rule), *_about_times(rule), *_about_scope(rule)]
    return [Complaint(field, sentence) for field, sentence in found]


def _about_name(rule: Rule) -> Iterator[tuple[str, str]]:
    if not rule.name.strip():
        yield "name", "A rule has a name."
    if len(rule.name) > 120 or not rule.name.isprintable():
        yield "name", "A name has up to 120 printable characters."
    for field, allowed in _CHOICES.items():
        if getattr(rule, field) not in allowed:
            yield field, f"{field} is one of {', '.join(allowed)}."


def _about_quantity(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.kind not in Kind.values:
        return
    if rule.kind == Kind.NO_DATA:
        if rule.quantity:
            yield "quantity", "A rule for missing data watches no quantity."
        return
    found = quantity_of(rule)
    if found is None:
        yield "quantity", f"There is no {rule.quantity!r} for rules of kind {rule.kind}."
    if rule.kind == Kind.ANOMALY and isinstance(found, Quantity) and not found.rolls_up:
        yield "quantity", f"{rule.quantity} has no hourly history to compare with."


def _about_levels(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.kind in (Kind.NO_DATA, Kind.EVENT):
        return
    if rule.threshold is None:
        yield "threshold", "A threshold is needed."
        return
    if rule.kind in (Kind.ANOMALY, Kind.FORECAST) and rule.threshold <= 0:
        yield "threshold", "The threshold is above zero."
    level = levels(rule)
    if (level.clear > level.threshold) if level.is_above else (level.clear < level.threshold):
        side = "above" if level.is_above else "below"
        yield "clear_threshold", f"The clear level may not lie {side} the threshold {rule.threshold:g}."
    if rule.least_deviation < 0:
        yield "least_deviation", "The least deviation is not negative."


def _about_times(rule: Rule) -> Iterator[tuple[str, str]]:
    least, most = WINDOWS
    if not least <= rule.window_seconds <= most:
        yield "window_seconds", f"The window has {least} to {most} seconds."
    if not GRACES[0] <= rule.grace_seconds <= GRACES[1]:
        yield "grace_seconds", f"The grace time has {GRACES[0]} to {GRACES[1]} seconds."
    if rule.kind == Kind.NO_DATA and rule.grace_seconds < LEAST_SILENCE:
        yield "grace_seconds", f"A machine may be silent for {LEAST_SILENCE} seconds at least."
    for field in ("repeat_minutes", "escalate_after_minutes"):
        value = getattr(rule, field)
        if value is not None and not 1 <= value <= LONGEST_REPEAT:
            yield field, f"{field} is 1 to {LONGEST_REPEAT}, or left out for never."


def _about_scope(rule: Rule) -> Iterator[tuple[str, str]]:
    if not all(isinstance(name, str) and is_machine_id(name) for name in rule.machine_ids):
        yield "machine_ids", "machine_ids is a list of ids of machines."
    if not all(isinstance(tag, str) and tag for tag in rule.tags):
        yield "tags", "tags is a list of words."
    if rule.instance_pattern and rule.kind not in (Kind.THRESHOLD, Kind.ANOMALY, Kind.FORECAST):
        yield "instance_pattern", "Only what is measured of a device has a pattern of devices."
    found = quantity_of(rule) if rule.kind in Kind.values else None
    if rule.instance_pattern and isinstance(found, Quantity | Store) and found.dataset.instance is None:
        yield "instance_pattern", f"{rule.quantity} is measured of the whole machine."
