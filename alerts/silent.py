"""Rules of kind no_data: who was heard when, what the portal slept through, and why a machine was silent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts import absence, rules
from alerts.absence import Heard, Judged, Open
from alerts.book import Evidence, Found, Place
from alerts.judging import Verdict
from alerts.models import Alert, Kind, Rule, Run, State, What
from alerts.scene import Scene
from analysis import windows
from analysis.models import Batch
from collectors import events
from collectors.models import MachineEvent
from core.catalogue import SYSTEM

AWAY = timedelta(minutes=10)
"""A pause of the evaluation that people are told of; a restart is shorter."""
FORGOTTEN = timedelta(days=7)
"""A machine that was silent for longer when the rule first saw it is no news."""
EXPLAINED_LATER = timedelta(hours=6)
PORTAL = "portal"
REASONS = {
    "host_down": "the host was down", "rebooted": "the host was started again", "suspended": "the host was suspended",
    "agent_stopped": "the agent was stopped", "samples_dropped": "the agent's spool was full",
    "clock_set": "the clock was set",
}  # fmt: skip
"""Kinds of machine events that explain a silence."""


def judge(scene: Scene, run: Run) -> None:
    for rule in scene.of_kind(Kind.NO_DATA):
        _judge(scene, rule, run)
    _explain(scene)


def slept(scene: Scene, run: Run) -> None:
    """The evaluation itself was away: silences count from now, and people are told once."""
    pause = scene.now - run.evaluated_at
    if pause <= AWAY:
        return
    since, run.resumed_at = run.evaluated_at, scene.now
    for rule in scene.of_kind(Kind.NO_DATA)[:1]:
        stored = Batch.objects.filter(received_at__gt=since, received_at__lte=scene.now).count()
        evidence = {"since": since.isoformat(), "pause_seconds": int(pause.total_seconds()), "batches": stored}
        found = Found(scene.now, Verdict.MET, pause.total_seconds(), lambda told=evidence: told)  # type: ignore[misc]  # bound now
        alert = scene.book.judge(rule, Place(None, cause=PORTAL), found)
        if alert and alert.since == scene.now:
            alert.since = since


def _judge(scene: Scene, rule: Rule, run: Run) -> None:
    mine = [alert for (pk, _), alert in scene.book.alerts.items() if pk == rule.pk]
    for alert in mine:
        if alert.cause == PORTAL:
            found = Found(scene.now, Verdict.CLEAR, alert.value, lambda kept=alert.evidence: kept)  # type: ignore[misc]  # bound now
            scene.book.judge(rule, Place(None, cause=PORTAL), found)
    heard = _heard(scene, rule, run, mine)
    names = {machine.collector_id: machine.machine_id for machine in heard}
    open_ = [_open(alert, names) for alert in mine if alert.cause != PORTAL]
    for judged in absence.judge(scene.now, heard, open_, rules.grace(rule)):
        _write(scene, rule, judged)


def _heard(scene: Scene, rule: Rule, run: Run, mine: Sequence[Alert]) -> list[Heard]:
    """The machines of the rule's scope that were heard within a week, or have an open alert."""
    released, found = _released(rule, scene.now), []
    alone = {alert.collector_id for alert in mine}
    told = {name for alert in mine for name in alert.members} | released.keys()
    for pk in sorted(scene.scope(rule)):
        machine = scene.collectors[pk]
        if machine.last_seen is None:
            continue
        if scene.now - machine.last_seen > FORGOTTEN and pk not in alone and machine.machine_id not in told:
            continue
        silent_from = max(machine.last_seen, run.resumed_at, released.get(machine.machine_id, machine.last_seen))
        if pk in alone:
            silent_from = machine.last_seen
        found.append(Heard(pk, machine.machine_id, machine.ip_address or "", silent_from))
    return found


def _released(rule: Rule, now: datetime) -> dict[str, datetime]:
    """Members of a cause that is over: a machine that is still silent has the grace time from then on."""
    over = Alert.objects.filter(rule=rule, state=State.RESOLVED, collector=None, resolved_at__gt=now - FORGOTTEN)
    found = over.order_by("resolved_at").values_list("resolved_at", "members")
    return {name: at for at, members in found if at is not None for name in members}


def _open(alert: Alert, names: dict[int, str]) -> Open:
    members = tuple(alert.members) if alert.cause else (names.get(alert.collector_id or 0, ""),)
    return Open(alert.cause, alert.since, members)


def _write(scene: Scene, rule: Rule, judged: Judged) -> None:
    place = Place(judged.collector_id, cause=judged.cause)
    silent_for = scene.now - judged.since
    found = Found(scene.now, judged.verdict, silent_for.total_seconds(), lambda: _evidence(rule, judged, silent_for))
    is_new = (rule.pk, place.target) not in scene.book.alerts
    alert = scene.book.judge(rule, place, found)
    if alert is None:
        return
    alert.members = list(judged.members)
    if is_new:
        alert.since = judged.since


def _evidence(rule: Rule, judged: Judged, silent_for: timedelta) -> Evidence:
    return {
        "silent_seconds": int(silent_for.total_seconds()), "last_heard": judged.since.isoformat(),
        "grace_seconds": rule.grace_seconds, "machines": len(judged.members) or 1, "silent": len(judged.silent) or 1,
    }  # fmt: skip


def _explain(scene: Scene) -> None:
    """Why a machine was silent, as soon as that is known; told later it is a change of its own."""
    closed = [alert for alert in scene.book.closed if alert.rule and alert.rule.kind == Kind.NO_DATA]
    before = Alert.objects.filter(
        rule__kind=Kind.NO_DATA, state=State.RESOLVED, resolved_at__gt=scene.now - EXPLAINED_LATER,
        collector__isnull=False, evidence__reasons__isnull=True,
    ).select_related("rule")  # fmt: skip
    waiting = [alert for alert in [*closed, *before] if alert.collector_id]
    if not waiting:
        return
    told = events.between([alert.collector_id for alert in waiting if alert.collector_id], *_span(waiting))
    for alert in waiting:
        mine = [event for event in told if event.collector_id == alert.collector_id and _touches(event, alert)]
        _explain_one(scene, alert, mine, is_late=alert not in closed)


def _span(alerts: Sequence[Alert]) -> tuple[datetime, datetime]:
    return min(alert.since for alert in alerts), max(alert.resolved_at or alert.since for alert in alerts)


def _touches(event: MachineEvent, alert: Alert) -> bool:
    return event.kind in REASONS and event.until >= alert.since and event.since <= (alert.resolved_at or event.since)


def _explain_one(scene: Scene, alert: Alert, told: Sequence[MachineEvent], *, is_late: bool) -> None:
    reasons = list(dict.fromkeys(REASONS[event.kind] for event in told))
    late = windows.stored(SYSTEM, alert.collector_id or 0, alert.since, alert.resolved_at or scene.now)
    if late:
        reasons.append(f"its {late} samples of that time came late")
    if is_late and not reasons:
        return
    why = "; ".join(reasons) or "the machine tells no reason"
    alert.resolution = f"Heard again: {why}."
    alert.evidence = {**alert.evidence, **({"reasons": reasons} if reasons else {})}
    scene.book.touch(alert)
    if is_late:
        scene.book.note(alert, What.EXPLAINED, scene.now, alert.resolution)
