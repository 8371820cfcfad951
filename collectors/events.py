"""What a machine tells beside its samples: its inventory, and why there are gaps."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from collectors.models import MachineEvent
from core.batch import parse_timestamp
from core.tenancy import Statement

INVENTORY_BYTES = 65_536
EVENTS = 200
DETAIL = 500
_KIND = re.compile(r"[a-z][a-z_]{0,31}")
_CLOCKS_APART = timedelta(days=1)


@dataclass(frozen=True)
class Event:
    """kind: as `agent.events` has them. since ≤ until, aware."""

    kind: str
    since: datetime
    until: datetime
    detail: str


@dataclass(frozen=True)
class Notes:
    """Ready to store. inventory: JSON text of an object, empty when none came. warnings: what is left out, and why."""

    inventory: str = ""
    events: Sequence[Event] = ()
    warnings: Sequence[str] = ()


def parse(inventory: str, events: str, now: datetime) -> Notes:
    """The form fields of an upload. What is wrong with them is a warning: it must never cost the samples."""
    warnings: list[str] = []
    text = _inventory(inventory, warnings) if inventory else ""
    return Notes(text, _events(events, now, warnings) if events else (), warnings)


def statements(collector_id: int, notes: Notes, now: datetime) -> list[Statement]:
    """What keeps them. The same event again is the one row; one that went on is prolonged."""
    made: list[Statement] = []
    if notes.inventory:
        made.append((_KEEP, [notes.inventory, collector_id, notes.inventory]))
    if notes.events:
        made.append((_SAVE, [collector_id, now, json.dumps([_row(event) for event in _distinct(notes.events)])]))
    return made


def enter(told: Sequence[tuple[int, Event]], now: datetime) -> None:
    """What the portal itself noticed of machines (collector id, event); the same event again is the one row."""
    rows = [
        MachineEvent(
            collector_id=pk, kind=one.kind, since=one.since, until=one.until, detail=one.detail, received_at=now
        )
        for pk, one in told
    ]
    MachineEvent.objects.bulk_create(rows, ignore_conflicts=True)


def between(collector_ids: Sequence[int], start: datetime, end: datetime) -> list[MachineEvent]:
    """The events that touch start ≤ t ≤ end, oldest first, with their machines."""
    touching = MachineEvent.objects.filter(collector__in=collector_ids, until__gte=start, since__lte=end)
    return list(touching.select_related("collector").order_by("since", "id"))


def trim(before: datetime) -> int:
    """Forget what ended before."""
    count, _ = MachineEvent.objects.filter(until__lt=before).delete()
    return count


_KEEP = """
    UPDATE collectors_collector SET inventory = %s::jsonb WHERE id = %s AND inventory IS DISTINCT FROM %s::jsonb
"""
_SAVE = """
    INSERT INTO collectors_machineevent (collector_id, kind, since, until, detail, received_at)
    SELECT %s, kind, since, until, detail, %s
    FROM jsonb_to_recordset(%s::jsonb) AS told (kind text, since timestamptz, until timestamptz, detail text)
    ON CONFLICT (collector_id, kind, since, detail)
    DO UPDATE SET until = excluded.until, received_at = excluded.received_at
    WHERE collectors_machineevent.until < excluded.until
"""


def _row(event: Event) -> dict[str, str]:
    since, until = event.since.isoformat(), event.until.isoformat()
    return {"kind": event.kind, "since": since, "until": until, "detail": event.detail}


def _distinct(events: Sequence[Event]) -> list[Event]:
    """One statement may touch a row once; in one order, so that two uploads cannot lock each other out."""
    longest: dict[tuple[str, datetime, str], Event] = {}
    for event in sorted(events, key=lambda event: event.until):
        longest[event.kind, event.since, event.detail] = event
    return [longest[key] for key in sorted(longest)]


def _inventory(text: str, warnings: list[str]) -> str:
    if len(text.encode()) > INVENTORY_BYTES:
        warnings.append(f"The inventory was left out: it is larger than {INVENTORY_BYTES:,} bytes.")
        return ""
    found = _json(text)
    if not isinstance(found, dict):
        warnings.append("The inventory was left out: it is not a JSON object.")
        return ""
    return json.dumps(found, ensure_ascii=False)


def _events(text: str, now: datetime, warnings: list[str]) -> list[Event]:
    found = _json(text)
    if not isinstance(found, list):
        warnings.append("The events were left out: they are not a JSON list.")
        return []
    if len(found) > EVENTS:
        warnings.append(f"{len(found) - EVENTS} events were left out: an upload has at most {EVENTS}.")
    good = [event for told in found[-EVENTS:] if (event := _event(told, now))]
    wrong = min(len(found), EVENTS) - len(good)
    if wrong:
        warnings.append(
            f"{wrong} events were left out: each has a kind, since ≤ until (RFC 3339, not ahead) and detail."
        )
    return good


def _event(told: Any, now: datetime) -> Event | None:
    if not isinstance(told, dict):
        return None
    kind, since, until, detail = (told.get(name, "") for name in ("kind", "since", "until", "detail"))
    if not all(isinstance(value, str) for value in (kind, since, until, detail)) or not _KIND.fullmatch(kind):
        return None
    try:
        event = Event(kind, parse_timestamp(since), parse_timestamp(until), detail[:DETAIL])
    except (ValueError, OverflowError):
        return None
    return event if event.since <= event.until <= now + _CLOCKS_APART else None


def _json(text: str) -> Any:
    """What PostgreSQL can keep as jsonb; None for everything else."""
    try:
        found = json.loads(text)
        written = json.dumps(found, ensure_ascii=False, allow_nan=False)
        written.encode()  # a lone surrogate is no text
    except (ValueError, RecursionError):
        return None
    return None if "\\u0000" in written else found
