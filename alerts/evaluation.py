"""One run of the evaluation of the current tenant: everything in one transaction, at an instant that is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from alerts import forecasts, measured, news, rules, silences, silent, telling
from alerts.models import LOUD, Alert, Rule, Run, What
from alerts.scene import Scene
from collectors.models import Collector

UNREPORTED = timedelta(hours=1)


@dataclass(frozen=True)
class Outcome:
    """windows: how many averages were judged. fired, resolved: alerts. messages: new ones in the outbox."""

    windows: int = 0
    fired: int = 0
    resolved: int = 0
    messages: int = 0

    def __str__(self) -> str:
        parts = (("fired", self.fired), ("resolved", self.resolved), ("messages", self.messages))
        return ", ".join(f"{count} {what}" for what, count in parts if count)


def evaluate(now: datetime) -> Outcome:
    """Evaluate all rules; nothing when another process has done so for `now` or later."""
    with transaction.atomic():
        run = Run.begun(now)
        if run.evaluated_at > now:
            return Outcome()
        scene = Scene.read(now)
        silent.slept(scene, run)
        news.notice(scene, run)
        read = measured.judge(scene)
        run.hourly_at = forecasts.judge(scene, run.hourly_at)
        silent.judge(scene, run)
        news.judge(scene, run)
        outcome = _finish(scene, read)
        run.evaluated_at = now
        run.save()
    return outcome


def pass_over(now: datetime) -> None:
    """Nothing is evaluated, and that is meant so: nobody is told of the pause, and silences count from its end."""
    with transaction.atomic():
        run = Run.begun(now)
        run.evaluated_at = run.resumed_at = now
        run.save()


def _finish(scene: Scene, read: int) -> Outcome:
    book = scene.book
    _sweep(scene)
    _silence(scene)
    book.write()
    messages = telling.tell(book)
    book.write()
    return Outcome(read, book.fired_now, len(book.closed), messages)


def _sweep(scene: Scene) -> None:
    """Close what no rule can close any more."""
    enabled = {rule.pk: rule for rule in scene.rules}
    for alert in list(scene.book.alerts.values()):
        why = _orphaned(scene, alert, enabled)
        if why:
            scene.book.resolve(alert, scene.now, why)


def _orphaned(scene: Scene, alert: Alert, enabled: dict[int, Rule]) -> str:
    rule = enabled.get(alert.rule_id or 0)
    if rule is None:
        return "The rule was deleted or turned off."
    if alert.evidence.get("quantity", rule.quantity) != rule.quantity:
        return "The rule watches something else now."
    if alert.collector_id is None:
        return ""
    machine = scene.collectors.get(alert.collector_id)
    if machine is None:
        return "The machine was retired."
    if not rules.watches(rule, machine) or not rules.matches(rule, alert.instance):
        return "The rule does not watch it any more."
    if alert.instance and _is_unreported(scene, alert, machine):
        return "It is not reported any more."
    return ""


def _is_unreported(scene: Scene, alert: Alert, machine: Collector) -> bool:
    """The machine is heard, but this device, interface or mount has not been for a while."""
    gone = scene.now - alert.evaluated_at > UNREPORTED + rules.step(alert.rule) if alert.rule else False
    return gone and machine.last_seen is not None and machine.last_seen > alert.evaluated_at + UNREPORTED


def _silence(scene: Scene) -> None:
    """Put down for each open alert whether a silence holds for it now."""
    holding = silences.holding(scene.now, scene.zone)
    by_name = {machine.machine_id: machine for machine in scene.collectors.values()}
    for alert in scene.book.alerts.values():
        if alert.state not in LOUD:
            continue
        machines = [scene.collectors[alert.collector_id]] if alert.collector_id else [
            by_name[name] for name in alert.members if name in by_name
        ]  # fmt: skip
        over = [silence for silence in holding if silences.covers(silence, alert.rule_id, machines)]
        if bool(over) != alert.is_silenced:
            alert.is_silenced = bool(over)
            what, note = (What.SILENCED, over[0].name) if over else (What.HEARD, "")
            scene.book.note(alert, what, scene.now, note)
