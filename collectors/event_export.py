"""Events of machines as CSV, beside an export of samples: why there are gaps."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from collectors import events
from collectors.models import Collector, MachineEvent
from core.batch import escape_text, format_timestamp

COLUMNS = ("machine_id", "kind", "since", "until", "detail")


def told(machines: Sequence[Collector], start: datetime, end: datetime) -> list[MachineEvent]:
    """What the agents told of start ≤ t ≤ end; and when a machine was not registered yet."""
    late = [machine for machine in machines if start < machine.created_at]
    new = [
        MachineEvent(
            collector=machine, kind="not_registered", since=start, until=min(machine.created_at, end), received_at=end
        )
        for machine in late
    ]
    return sorted([*new, *events.between([machine.pk for machine in machines], start, end)], key=_order)


def _order(event: MachineEvent) -> tuple[str, datetime, str]:
    return event.collector.machine_id, event.since, event.kind


def as_csv(found: Iterable[MachineEvent]) -> str:
    """RFC 4180 with a header line; times RFC 3339 in UTC; a text that a spreadsheet would run is quoted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for event in found:
        since, until = format_timestamp(event.since), format_timestamp(event.until)
        detail = escape_text(" ".join(event.detail.split()))
        writer.writerow([escape_text(event.collector.machine_id), event.kind, since, until, detail])
    return text.getvalue()
