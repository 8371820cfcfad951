"""Rules of kind event: what machines tell of themselves, and what is seen to have changed about them.

A change of the inventory (boot id, agent, kernel) and a clock that is ahead are entered as machine events, beside those
that agents tell; so they stand on the machine's page, and rules wait for one thing only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from alerts.book import Place
from alerts.models import Alert, Kind, Known, Rule, Run, State
from alerts.quantities import EVENTS
from alerts.scene import FRESH, Scene
from analysis import windows
from analysis.models import Batch
from collectors import events
from collectors.events import Event
from collectors.models import Collector, MachineEvent
from core.catalogue import SYSTEM

WATCHED = {"boot_id": "rebooted", "agent": "agent_changed", "kernel": "kernel_changed"}
"""Key of the inventory → kind of the event when its value changes."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AHEAD, HEARD = timedelta(minutes=2), timedelta(minutes=10)
SETTLED = timedelta(seconds=30)
"""An upload's transaction is over by then, so that no event with a lower number can still appear."""
OLD = timedelta(hours=6)
"""What ended longer ago when the portal learns of it is history, not news."""
SHOWN = 10


def notice(scene: Scene, run: Run) -> None:
    """Enter what changed since the last run as machine events."""
    _notice_inventories(scene, run.evaluated_at - timedelta(minutes=5))
    _notice_clocks(scene)


def _notice_inventories(scene: Scene, heard_since: datetime) -> None:
    recent = [pk for pk, machine in scene.collectors.items() if machine.last_seen and machine.last_seen > heard_since]
    known = {(row.collector_id, row.name): row.value for row in Known.objects.filter(collector__in=recent)}
    fields = ("pk", *(f"inventory__{name}" for name in (*WATCHED, "boot_time")))
    fresh: list[Known] = []
    news: list[tuple[int, Event]] = []
    for row in Collector.objects.filter(pk__in=recent).values(*fields):
        for name in WATCHED:
            key, value = (row["pk"], name), str(row[f"inventory__{name}"] or "")[:200]
            if not value or known.get(key) == value:
                continue
            fresh.append(Known(collector_id=row["pk"], name=name, value=value))
            if key in known:
                told = _event(name, known[key], value, row["inventory__boot_time"], scene.now)
                news.append((row["pk"], told))
    events.enter(news, scene.now)
    Known.objects.bulk_create(
        fresh, update_conflicts=True, unique_fields=("collector", "name"), update_fields=("value",)
    )


def _event(name: str, old: str, new: str, boot_time: object, now: datetime) -> Event:
    moment = now
    if name == "boot_id" and isinstance(boot_time, int | float) and now.timestamp() - 86_400 < boot_time:
        moment = min(datetime.fromtimestamp(boot_time, UTC), now)
    return Event(WATCHED[name], moment, moment, "" if name == "boot_id" else f"{old} → {new}")


def _notice_clocks(scene: Scene) -> None:
    """Samples stamped minutes later than now, or (looked at every ten minutes) never within half an hour of it."""
    ahead = windows.newest(SYSTEM, scene.now + AHEAD, scene.now + DAY)
    _enter_once_a_day(scene, "clock_ahead", ahead)
    if scene.now.minute % 10 == 0:
        _enter_once_a_day(scene, "clock_behind", _behind(scene))


def _behind(scene: Scene) -> dict[int, datetime]:
    """Machines that have been heard for an hour, now too, and yet have no sample young enough to be judged."""
    heard = {pk for pk, one in scene.collectors.items() if one.last_seen and scene.now - one.last_seen < HEARD}
    suspects = heard - windows.newest(SYSTEM, scene.now - FRESH, scene.now + DAY).keys()
    if not suspects:
        return {}
    earlier = Batch.objects.filter(
        collector__in=suspects, received_at__gt=scene.now - 2 * HOUR, received_at__lt=scene.now - HOUR
    )
    steadily = set(earlier.values_list("collector_id", flat=True))
    newest = windows.newest(SYSTEM, scene.now - DAY, scene.now)
    return {pk: newest[pk] for pk in suspects & steadily & newest.keys()}


def _enter_once_a_day(scene: Scene, kind: str, newest: dict[int, datetime]) -> None:
    if not newest:
        return
    noticed = MachineEvent.objects.filter(kind=kind, since__gt=scene.now - DAY).values_list("collector_id", flat=True)
    new = sorted(newest.keys() - set(noticed))
    apart = {pk: int(abs(newest[pk] - scene.now).total_seconds()) for pk in new}
    events.enter(
        [(pk, Event(kind, scene.now, scene.now, f"newest sample {apart[pk]} s {kind.split('_')[1]}")) for pk in new],
        scene.now,
    )


def judge(scene: Scene, run: Run) -> None:
    """Fire for every event that is new since the last run; what had none for the window is over."""
    told = list(MachineEvent.objects.filter(pk__gt=run.last_event, received_at__lte=scene.now - SETTLED).order_by("pk"))
    run.last_event = max((event.pk for event in told), default=run.last_event)
    for rule in scene.of_kind(Kind.EVENT):
        scope, kinds = scene.scope(rule), EVENTS[rule.quantity].kinds
        mine = [event for event in told if event.kind in kinds and event.collector_id in scope]
        for event in mine:
            if scene.now - event.until <= OLD:
                _tell(scene, rule, event)
        _close(scene, rule)


def _tell(scene: Scene, rule: Rule, event: MachineEvent) -> None:
    place = Place(event.collector_id)
    key = (rule.pk, place.target)
    alert = scene.book.alerts.get(key)
    if alert is None:
        alert = scene.book.add(rule, place, event.since)
        alert.evidence = _evidence([event], rule)
        scene.book.fire(alert, event.until, (*scene.book.fired.get(key, ()), event.until))
    else:
        alert.evidence = _evidence_more(alert, event)
        scene.book.touch(alert)
    alert.value = float(alert.evidence["count"])
    alert.evaluated_at = max(alert.evaluated_at, event.until)


def _evidence(told: Sequence[MachineEvent], rule: Rule) -> dict[str, object]:
    news = EVENTS[rule.quantity]
    return {"quantity": rule.quantity, "title": news.title, "count": len(told), "events": [_row(one) for one in told]}


def _evidence_more(alert: Alert, event: MachineEvent) -> dict[str, object]:
    kept = [*alert.evidence.get("events", []), _row(event)][-SHOWN:]
    return {**alert.evidence, "count": alert.evidence.get("count", 0) + 1, "events": kept}


def _row(event: MachineEvent) -> dict[str, str]:
    since, until = event.since.isoformat(), event.until.isoformat()
    return {"kind": event.kind, "since": since, "until": until, "detail": event.detail}


def _close(scene: Scene, rule: Rule) -> None:
    for alert in [alert for (pk, _), alert in scene.book.alerts.items() if pk == rule.pk]:
        if scene.now - alert.evaluated_at >= timedelta(seconds=rule.window_seconds) and alert.state != State.PENDING:
            scene.book.resolve(alert, alert.evaluated_at, "It happened, and not again.")
