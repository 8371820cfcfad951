"""The open alerts of a tenant while they are evaluated, and the writing down of every change with its evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from alerts import judging
from alerts.judging import REMEMBERED, Standing, Turn, Verdict
from alerts.models import Alert, AlertChange, Kind, Rule, State, What

Key = tuple[int, str]
"""Rule and target."""
Evidence = dict[str, Any]
PASSED = "The condition did not last for the grace time."
_UPDATED = (
    "state", "fired_at", "resolved_at", "resolution", "clear_since", "firings", "evaluated_at", "value", "evidence",
    "members", "since", "is_silenced", "told_at", "repeated_at", "escalated_at", "told_resolved_at",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a condition is: a machine, a device of it, or (collector_id None) a cause at several machines."""

    collector_id: int | None
    instance: str = ""
    cause: str = ""

    @property
    def target(self) -> str:
        if self.collector_id is None:
            return f"cause:{self.cause}"
        return f"machine:{self.collector_id}" + (f"/{self.instance}" if self.instance else "")


@dataclass(frozen=True)
class Found:
    """One evaluation: at which instant of the data, the value, the verdict, and what it rests on."""

    at: datetime
    verdict: Verdict
    value: float | None
    evidence: Callable[[], Evidence]


@dataclass
class Book:
    """All alerts that this run opened or changed are in `alerts` or `closed`; `write` puts them into the database."""

    now: datetime
    alerts: dict[Key, Alert]
    fired: dict[Key, tuple[datetime, ...]]
    closed: list[Alert] = field(default_factory=list)
    fired_now: int = 0
    _new: list[Alert] = field(default_factory=list)
    _touched: dict[int, Alert] = field(default_factory=dict)
    _changes: list[AlertChange] = field(default_factory=list)

    @staticmethod
    def open(now: datetime) -> Book:
        """Two queries: what is open, locked so that nobody acknowledges it meanwhile, and what fired of late."""
        found = Alert.objects.open().select_related("rule").select_for_update(of=("self",))
        alerts = {(alert.rule_id or 0, alert.target): alert for alert in found}
        fired: dict[Key, tuple[datetime, ...]] = {}
        recent = Alert.objects.filter(fired_at__gt=now - 2 * REMEMBERED).order_by("fired_at")
        for rule, target, moment in recent.values_list("rule_id", "target", "fired_at"):
            if moment is not None:
                fired[rule or 0, target] = (*fired.get((rule or 0, target), ()), moment)
        return Book(now, alerts, fired)

    def standing(self, key: Key) -> Standing:
        alert, fired = self.alerts.get(key), self.fired.get(key, ())
        if alert is None:
            return Standing(fired=fired)
        if alert.fired_at:
            fired = tuple(moment for moment in fired if alert.fired_at - REMEMBERED < moment <= alert.fired_at)
        return Standing(alert.since, alert.fired_at, alert.clear_since, fired)

    def judge(self, rule: Rule, place: Place, found: Found) -> Alert | None:
        """Take one step for a target; returns its alert, if there is or was one."""
        key = (rule.pk, place.target)
        if found.verdict != Verdict.MET and key not in self.alerts:
            return None
        grace = timedelta(seconds=0 if rule.kind == Kind.NO_DATA else rule.grace_seconds)
        after, turns = judging.step(self.standing(key), found.at, found.verdict, grace)
        alert = self.alerts.get(key) or self.add(rule, place, found.at)
        alert.evaluated_at = found.at
        if found.verdict != Verdict.UNKNOWN:
            alert.value, alert.evidence = found.value, found.evidence()
        self.touch(alert)
        for turn in turns:
            self._turned(alert, turn, found.at, after)
        if not after.is_quiet:
            alert.clear_since = after.clear_since
        return alert

    def add(self, rule: Rule, place: Place, since: datetime) -> Alert:
        """A new alert, pending."""
        alert = Alert(
            rule=rule, rule_name=rule.name, severity=rule.severity, collector_id=place.collector_id,
            instance=place.instance, cause=place.cause, target=place.target, state=State.PENDING, since=since,
            evaluated_at=since,
        )  # fmt: skip
        self.alerts[rule.pk, place.target] = alert
        self._new.append(alert)
        return alert

    def _turned(self, alert: Alert, turn: Turn, at: datetime, after: Standing) -> None:
        if turn == Turn.OPENED:
            self.note(alert, What.OPENED, at)
        elif turn == Turn.FIRED:
            self.fire(alert, at, after.fired)
        else:
            ended = alert.clear_since or at
            self.resolve(alert, ended, "The condition is over." if turn == Turn.RESOLVED else PASSED)

    def fire(self, alert: Alert, at: datetime, fired: tuple[datetime, ...]) -> None:
        alert.state, alert.fired_at, alert.firings = State.FIRING, at, len(fired)
        self.fired[alert.rule_id or 0, alert.target] = fired
        self.fired_now += 1
        self.note(alert, What.FIRED, at)

    def resolve(self, alert: Alert, at: datetime, why: str, by: str = "") -> None:
        """at: when it was over by the data."""
        alert.state, alert.resolved_at, alert.resolution = State.RESOLVED, at, why[:500]
        self.alerts.pop((alert.rule_id or 0, alert.target), None)
        self.closed.append(alert)
        self.note(alert, What.RESOLVED, at, why, by)

    def note(self, alert: Alert, what: What, moment: datetime, note: str = "", by: str = "") -> None:
        """A change goes into the alert's history, with the evidence as it is now."""
        self.touch(alert)
        evidence = dict(alert.evidence)
        self._changes.append(
            AlertChange(alert=alert, what=what, at=self.now, moment=moment, note=note[:500], by=by, evidence=evidence)
        )

    def touch(self, alert: Alert) -> None:
        self._touched[id(alert)] = alert

    def write(self) -> None:
        """Three statements (what exists is updated by way of its conflict, the quickest form for many rows).

        Two workers that open the same alert are kept apart by the lock of `Run`.
        """
        Alert.objects.bulk_create(self._new)
        fresh = {id(alert) for alert in self._new}
        changed = [alert for key, alert in self._touched.items() if key not in fresh]
        Alert.objects.bulk_create(changed, update_conflicts=True, unique_fields=("id",), update_fields=_UPDATED)
        AlertChange.objects.bulk_create(self._changes)
        self._new, self._touched, self._changes = [], {}, []
