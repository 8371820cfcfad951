"""What happened when: notes of people and of their deploy scripts, and the reboots that agents tell of, as one list."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import audit
from analysis.models import Annotation
from collectors.models import Collector, MachineEvent
from core.errors import ServiceError

MOST = 500
REBOOT = "reboot"
_HOST_DOWN, _REBOOTED = "host_down", "rebooted"
_SAME = timedelta(minutes=2)


@dataclass(frozen=True)
class Mark:
    """One line on a chart. id: empty for a reboot, which nobody can delete. machine_id: empty for all machines."""

    id: str
    machine_id: str
    kind: str
    text: str
    at: datetime
    until: datetime | None
    created_by: str


@dataclass(frozen=True)
class Note:
    """What is to be noted; `collector` None for all machines, `until` None for a moment."""

    kind: str
    text: str
    at: datetime
    until: datetime | None = None
    collector: Collector | None = None


def between(collectors: Sequence[Collector] | None, start: datetime, end: datetime) -> list[Mark]:
    """Notes and reboots in start ≤ t ≤ end, oldest first, the newest MOST; None: of every machine. Two queries."""
    notes = Annotation.objects.filter(Q(at__range=(start, end)) | Q(at__lt=start, until__gte=start))
    events = MachineEvent.objects.filter(kind__in=(_HOST_DOWN, _REBOOTED), until__range=(start, end))
    if collectors is not None:
        notes = notes.filter(Q(collector=None) | Q(collector__in=collectors))
        events = events.filter(collector__in=collectors)
    made = map(mark_of, notes.select_related("collector").order_by("-at", "-id")[:MOST])
    told = events.select_related("collector").order_by("-until", "-id")[:MOST]
    return _oldest_first([*made, *map(_of_reboot, _once(list(told)))])


def _once(events: Sequence[MachineEvent]) -> list[MachineEvent]:
    """A reboot that both the agent (as a gap) and the portal (as another boot id) noticed is the agent's."""
    downs = [event for event in events if event.kind == _HOST_DOWN]
    return downs + [
        event for event in events
        if event.kind == _REBOOTED and not any(
            down.collector_id == event.collector_id and down.since - _SAME <= event.since <= down.until + _SAME
            for down in downs
        )
    ]  # fmt: skip


def _oldest_first(marks: Iterable[Mark]) -> list[Mark]:
    return sorted(marks, key=lambda mark: (mark.at, mark.id))[-MOST:]


def mark_of(note: Annotation) -> Mark:
    machine_id = note.collector.machine_id if note.collector else ""
    return Mark(note.public_id, machine_id, note.kind, note.text, note.at, note.until, note.created_by)


def _of_reboot(event: MachineEvent) -> Mark:
    """At the first sample after it: then the machine is known to be up again."""
    return Mark("", event.collector.machine_id, REBOOT, event.detail, event.until, None, "")


def make(note: Note, *, actor: str, ip: str | None) -> Annotation:
    with transaction.atomic():
        made = Annotation.objects.create(
            public_id=secrets.token_hex(8), collector=note.collector, kind=note.kind, text=note.text, at=note.at,
            until=note.until, created_by=actor, created_at=timezone.now(),
        )  # fmt: skip
        _record("annotation.made", made, actor, ip)
    return made


def delete(public_id: str, *, actor: str, ip: str | None) -> None:
    """ANNOTATION_001 when there is none of that id."""
    with transaction.atomic():
        found = Annotation.objects.select_for_update(of=("self",)).filter(public_id=public_id[:16]).first()
        if found is None:
            raise ServiceError("ANNOTATION_001", "There is no such note here; reload the page.")
        _record("annotation.deleted", found, actor, ip)
        found.delete()


def _record(event: str, note: Annotation, actor: str, ip: str | None) -> None:
    machine_id = note.collector.machine_id if note.collector else ""
    audit.record(
        event, user=actor, ip=ip, machine_id=machine_id, kind=note.kind, text=note.text, at=note.at.isoformat()
    )
