"""Why there are gaps: what happened on a machine between two samples, as its agent told it.

Read from CSV (`machine_id,kind,since,until,detail`) or from JSON, as the portal answers both.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.batch import parse_timestamp, unescape_text
from reports.reading import ExportError, show
from reports.statistics import Coverage, Gap

COLUMNS = ("machine_id", "kind", "since", "until", "detail")
UNKNOWN = "unknown"
REASONS = {
    "agent_stopped": "Agent stopped",
    "host_down": "Host down",
    "suspended": "Suspended",
    "clock_set": "Clock set",
    "late": "Late",
    "not_registered": "Not registered yet",
    "samples_dropped": "Samples dropped",
    "samples_refused": "Samples refused",
    "rebooted": "Rebooted",
    "agent_changed": "Other agent version",
    "kernel_changed": "Other kernel",
    "clock_ahead": "Clock ahead",
    "clock_behind": "Clock behind",
}
"""Kind of event, as `agent.events` has them -> words for people. An unknown kind is shown by its name."""
DETAIL = 120


@dataclass(frozen=True)
class Event:
    """since ≤ until: ms since the epoch."""

    kind: str
    since: int
    until: int
    detail: str

    @property
    def words(self) -> str:
        """`host down: the machine was rebooted`."""
        kind = REASONS.get(self.kind, show(self.kind).replace("_", " ")).lower()
        return f"{kind}: {show(self.detail[:DETAIL])}" if self.detail else kind


Events = dict[str, list[Event]]
"""By machine."""


def are_in(path: Path) -> bool:
    """Whether a file holds events and no samples: JSON, or CSV with a column `kind`."""
    try:
        with path.open("rb") as file:
            start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return False  # the reader of samples says why
    header = start.split(b"\n", 1)[0].strip().decode("utf-8", "replace").split(",")
    return start[:1] in (b"{", b"[") or {"kind", "since", "until"} <= set(header)


def read(path: Path) -> Events:
    """The events of one file; raises ExportError with the line."""
    shown, text = show(path.name), path.read_text(encoding="utf-8-sig", errors="replace")
    try:
        rows = _from_json(text) if text.lstrip()[:1] in ("{", "[") else _from_csv(text)
        found: Events = {}
        for at, row in enumerate(rows, 1):
            found.setdefault(_text(row, "machine_id", at), []).append(_event(row, at))
    except (ValueError, csv.Error) as error:
        raise ExportError(f"{shown} holds no events: {show(str(error))}.") from None
    return found


def explain(coverage: Coverage, events: Sequence[Event]) -> Coverage:
    """Each gap with the words of the event that covers most of it; `unknown` where none does."""
    return replace(coverage, gaps=tuple(replace(gap, reason=_reason(gap, events)) for gap in coverage.gaps))


def _reason(gap: Gap, events: Iterable[Event]) -> str:
    """Of events that cover the same, the one that began last: it is the most precise."""
    touching = [(_overlap(gap, event), event.since, event.words) for event in events if _touches(gap, event)]
    return max(touching)[2] if touching else UNKNOWN


def _touches(gap: Gap, event: Event) -> bool:
    """A clock that was set is a moment; an event that ends as the gap begins has nothing to do with it."""
    if event.since == event.until:
        return gap.start <= event.since <= gap.end
    return _overlap(gap, event) > 0


def _overlap(gap: Gap, event: Event) -> int:
    return min(gap.end, event.until) - max(gap.start, event.since)


def _from_csv(text: str) -> Iterable[Mapping[str, Any]]:
    reader = csv.DictReader(io.StringIO(text), strict=True)
    for row in reader:
        yield {name: unescape_text(value or "") for name, value in row.items() if name}


def _from_json(text: str) -> Iterable[Mapping[str, Any]]:
    """The portal's answer for one machine, or a list of them."""
    content = json.loads(text)
    for answer in content if isinstance(content, list) else [content]:
        if not isinstance(answer, dict) or not isinstance(answer.get("events"), list):
            raise ValueError("it has no list `events`")
        for event in answer["events"]:
            yield {"machine_id": answer.get("machine_id"), **event}


def _event(row: Mapping[str, Any], at: int) -> Event:
    since, until = (_moment(row, name, at) for name in ("since", "until"))
    if until < since:
        raise ValueError(f"event {at} ends before it begins")
    return Event(_text(row, "kind", at), since, until, str(row.get("detail") or ""))


def _moment(row: Mapping[str, Any], name: str, at: int) -> int:
    try:
        return round(parse_timestamp(_text(row, name, at)).timestamp() * 1000)
    except ValueError as error:
        raise ValueError(f"event {at}: {name}: {error}") from None


def _text(row: Mapping[str, Any], name: str, at: int) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"event {at} has no {name}")
    return value
