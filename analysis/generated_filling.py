"""Stores generated samples for the current tenant: what the ledger lacks, newest first, each piece exactly once.

A piece's batch id says which span it covers, so a filling that was killed goes on where it stopped, and a top-up after
an hour or a week is the same operation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from analysis import generated, store
from analysis.generated_fleet import MACHINES, Machine
from analysis.models import Batch
from collectors.models import Collector

_PREFIX = "generated-"
_FORM = "%Y%m%dT%H%M"


@dataclass(frozen=True)
class Span:
    """start ≤ instant < end, UTC, whole minutes."""

    start: datetime
    end: datetime

    @property
    def batch_id(self) -> str:
        return f"{_PREFIX}{self.start:{_FORM}}-{self.end:{_FORM}}"

    @staticmethod
    def of_batch_id(batch_id: str) -> Span:
        first, last = batch_id.removeprefix(_PREFIX).split("-")
        return Span(*(datetime.strptime(text, _FORM).replace(tzinfo=UTC) for text in (first, last)))


@dataclass(frozen=True)
class Piece:
    """A span of one machine that is not stored yet, a day at most."""

    collector: Collector
    machine: Machine
    span: Span


def plan(start: datetime, now: datetime) -> list[Piece]:
    """What the tenant's generated machines lack of the samples from start to now, newest first."""
    wanted = Span(_whole_minute(start), _whole_minute(now) + generated.INTERVAL)
    machines = {machine.machine_id: machine for machine in MACHINES}
    pieces = [
        Piece(collector, machines[collector.machine_id], span)
        for collector in Collector.objects.filter(machine_id__in=machines, active=True)
        for span in missing(_stored(collector, wanted), wanted)
    ]
    return sorted(pieces, key=lambda piece: piece.span.start.date(), reverse=True)


def missing(stored: Iterable[Span], wanted: Span) -> list[Span]:
    """What of `wanted` no stored span covers, cut at midnights."""
    gaps, cursor = [], wanted.start
    for span in sorted(stored, key=lambda span: span.start):
        if span.start > cursor:
            gaps.append(Span(cursor, min(span.start, wanted.end)))
        cursor = max(cursor, span.end)
    if cursor < wanted.end:
        gaps.append(Span(cursor, wanted.end))
    return [day for gap in gaps for day in _days(gap)]


def fill(piece: Piece, origin: datetime) -> int:
    """Store one piece; returns its rows. An outage has none, and is left out of the ledger too."""
    span = piece.span
    rows = generated.rows(piece.machine, piece.collector.pk, span.start, span.end, origin)
    if not rows:
        return 0
    upload = store.Upload(
        collector=piece.collector, batch_id=span.batch_id, rows=rows, window=(span.start, span.end),
        digest=store.digest((part.dataset.name, part.body) for part in rows), ip=piece.machine.ip_address,
    )  # fmt: skip
    return store.store(upload).batch.records


def _stored(collector: Collector, wanted: Span) -> list[Span]:
    """Spans of the ledger that may reach into `wanted`; ids sort by time, and no span is longer than a day."""
    earliest = f"{_PREFIX}{wanted.start - timedelta(days=1):{_FORM}}"
    ids = Batch.objects.filter(collector=collector, batch_id__startswith=_PREFIX, batch_id__gte=earliest)
    return [Span.of_batch_id(batch_id) for batch_id in ids.values_list("batch_id", flat=True)]


def _days(span: Span) -> Iterable[Span]:
    start = span.start
    while start < span.end:
        midnight = datetime.combine(start.date() + timedelta(days=1), time(), UTC)
        yield Span(start, min(midnight, span.end))
        start = midnight


def _whole_minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
