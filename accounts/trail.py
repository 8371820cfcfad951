"""Reading the audit log: filtered, a page at a time by the last row seen, and exported."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import Q, QuerySet

from accounts import audit
from accounts.models import AuditEvent
from core.batch import escape_text
from core.tenancy import schema_context

BLOCK = 1000
COLUMNS = ("timestamp", "event", "user", "tenant", "machine_id", "records", "ip", "status")


@dataclass(frozen=True)
class Choice:
    """Which events; what is empty does not choose. The days are UTC and both inclusive."""

    event: str = ""
    user: str = ""
    machine_id: str = ""
    start: date | None = None
    end: date | None = None

    def events(self) -> QuerySet[AuditEvent]:
        exact = {"event": self.event, "user": self.user, "machine_id": self.machine_id}
        found = AuditEvent.objects.filter(**{name: value for name, value in exact.items() if value})
        if self.start:
            found = found.filter(timestamp__gte=datetime.combine(self.start, time(), UTC))
        if self.end:
            found = found.filter(timestamp__lt=datetime.combine(self.end + timedelta(days=1), time(), UTC))
        return found


@dataclass(frozen=True)
class Place:
    """A row's place in the log; as text it stands in the address of the next page."""

    timestamp: datetime
    pk: int

    @staticmethod
    def of(event: AuditEvent) -> Place:
        return Place(event.timestamp, event.pk)

    @staticmethod
    def parse(text: str) -> Place:
        """ValueError when it is none."""
        moment, pk = text.rsplit("_", 1)
        timestamp = datetime.fromisoformat(moment)
        if timestamp.tzinfo is None or not pk.isdecimal() or len(pk) > 18:
            raise ValueError
        return Place(timestamp, int(pk))

    def __str__(self) -> str:
        return f"{self.timestamp.astimezone(UTC).isoformat().replace('+00:00', 'Z')}_{self.pk}"


def newest(choice: Choice, before: Place | None, size: int) -> tuple[list[AuditEvent], Place | None]:
    """Events, newest first, and where the next page begins; None on the last page. One query."""
    found = choice.events().order_by("-timestamp", "-pk")
    if before:
        same = Q(timestamp=before.timestamp, pk__lt=before.pk)
        found = found.filter(Q(timestamp__lt=before.timestamp) | same, timestamp__lte=before.timestamp)
    rows = list(found[: size + 1])
    return rows[:size], Place.of(rows[size - 1]) if len(rows) > size else None


def export_lines(choice: Choice, schema_name: str) -> Iterator[bytes]:
    """JSON Lines, oldest first, as on the application log."""
    for block in _blocks(choice, schema_name):
        yield "".join(audit.line(event, schema_name) + "\n" for event in block).encode()


def export_csv(choice: Choice, schema_name: str) -> Iterator[bytes]:
    """The same as CSV; a text that a spreadsheet would take for a formula gets a `'` in front."""
    yield (",".join(COLUMNS) + "\n").encode()
    for block in _blocks(choice, schema_name):
        text = io.StringIO()
        rows = (audit.entry(event, schema_name) for event in block)
        csv.writer(text, lineterminator="\n").writerows([_cell(row[name]) for name in COLUMNS] for row in rows)
        yield text.getvalue().encode()


def _cell(value: object) -> str:
    if isinstance(value, str):
        return escape_text(value)
    return "" if value is None else str(value)


def _blocks(choice: Choice, schema_name: str) -> Iterator[list[AuditEvent]]:
    """In the tenant that asked: a stream is read after the view has returned (trap 28)."""
    after: Place | None = None
    while True:
        with schema_context(schema_name):
            found = choice.events().order_by("timestamp", "pk")
            if after:
                same = Q(timestamp=after.timestamp, pk__gt=after.pk)
                found = found.filter(Q(timestamp__gt=after.timestamp) | same, timestamp__gte=after.timestamp)
            block = list(found[:BLOCK])
        if not block:
            return
        yield block
        after = Place.of(block[-1])
