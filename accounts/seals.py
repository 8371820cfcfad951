"""The hash chain over the audit log, so that a row changed or removed behind the application's back is found.

Events are sealed in batches and not as they are written: a chain made on the spot would let one upload of a tenant
commit at a time (docs/decisions.md has the numbers).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from accounts.models import AuditEvent, AuditSeal, AuditWaiting
from core.tenancy import current_schema

START = "0" * 64
BATCH = 1000


@dataclass(frozen=True)
class Verdict:
    """What verifying found: `head` is the newest link, `waiting` counts events not sealed yet."""

    sealed: int
    waiting: int
    head: str
    problems: tuple[str, ...]


def digest(previous: str, event: AuditEvent) -> str:
    """SHA-256 over the link before it and every column of the event."""
    content = {
        "id": event.pk, "timestamp": event.timestamp.isoformat(), "event": event.event, "user": event.user,
        "machine_id": event.machine_id, "records": event.records, "ip": event.ip, "status": event.status,
        "detail": event.detail,
    }  # fmt: skip
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def seal() -> int:
    """Seal the current tenant's waiting events in the order of their ids; how many."""
    total = 0
    while count := _seal_batch():
        total += count
    return total


def _seal_batch() -> int:
    with transaction.atomic():
        _lock()
        waiting = AuditWaiting.objects.values("event_id")
        events = list(AuditEvent.objects.filter(pk__in=waiting).order_by("pk")[:BATCH])
        AuditSeal.objects.bulk_create(_links(head(), events))
        AuditWaiting.objects.filter(event_id__in=[event.pk for event in events]).delete()
    return len(events)


def _lock() -> None:
    """One sealer of a tenant at a time, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"seal audit {current_schema()}"])


def head() -> str:
    newest = AuditSeal.objects.order_by("-pk").first()
    return newest.digest if newest else START


def _links(previous: str, events: list[AuditEvent]) -> Iterator[AuditSeal]:
    for event in events:
        previous = digest(previous, event)
        yield AuditSeal(event_id=event.pk, digest=previous)


def verify(expected: str = "") -> Verdict:
    """Walk the chain of the current tenant. expected: a head noted earlier, which must still be in the chain."""
    problems = [*_broken(), *_unaccounted()]
    if expected and expected != START and not AuditSeal.objects.filter(digest=expected).exists():
        problems.append("The expected head is not in the chain: sealed events were removed or the chain was remade.")
    return Verdict(AuditSeal.objects.count(), AuditWaiting.objects.count(), head(), tuple(problems))


def _broken() -> Iterator[str]:
    """Links that do not follow from their event and the link before them."""
    previous, after = START, 0
    while links := list(AuditSeal.objects.filter(pk__gt=after).order_by("pk")[:BATCH]):
        events = AuditEvent.objects.in_bulk([link.event_id for link in links])
        for link in links:
            event = events.get(link.event_id)
            if event is None:
                yield f"Event {link.event_id} is gone."
            elif digest(previous, event) != link.digest:
                yield f"Event {link.event_id} or its place in the chain was changed."
            previous, after = link.digest, link.pk


def _unaccounted() -> Iterator[str]:
    """Events outside the chain that do not wait for it, and waiting ones that are gone."""
    sealed = Exists(AuditSeal.objects.filter(event_id=OuterRef("pk")))
    waits = Exists(AuditWaiting.objects.filter(event_id=OuterRef("pk")))
    loose = AuditEvent.objects.filter(~sealed, ~waits).order_by("pk")
    for pk in loose.values_list("pk", flat=True)[:BATCH]:
        yield f"Event {pk} was never sealed."
    is_there = Exists(AuditEvent.objects.filter(pk=OuterRef("event_id")))
    gone = AuditWaiting.objects.filter(~is_there).order_by("event_id")
    for event_id in gone.values_list("event_id", flat=True)[:BATCH]:
        yield f"Event {event_id} is gone, before it was sealed."
