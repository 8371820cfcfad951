"""Bulk loads: a CSV file of many machines of one dataset, in one exactly-once transaction and flat memory.

While one piece is in COPY, the next is packed for it by a second thread, and the one after that is read by a third.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Sum
from django.utils import timezone
from psycopg2 import errors as postgres

from accounts import audit
from analysis import months, partitions, rollups, store
from analysis.bulk_reading import Machine, Read, Reader, digest
from analysis.models import Batch
from analysis.months import Month
from collectors import registry
from collectors.models import Collector
from core.batch import BatchError, Window
from core.catalogue import Dataset
from core.errors import ServiceError
from core.tenancy import current_schema, schema_context

T = TypeVar("T")


@dataclass(frozen=True)
class Order:
    """What is asked: `register` makes machines that are not known; actor and ip are for the audit log."""

    dataset: Dataset
    window: Window
    register: bool
    actor: str
    ip: str | None = None


@dataclass(frozen=True)
class Loaded:
    """The ledger's answer for a file. repeated: it had been stored before, and nothing was written now."""

    batch_id: str
    records: int
    duplicates: int
    machines: int
    received_at: datetime
    repeated: bool = False
    registered: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class _StoredMeanwhileError(Exception):
    """Another load of the same file was committed first."""


def load(file: IO[bytes], order: Order) -> Loaded:
    """Store a seekable file once, by its content; one stored before is answered from the ledger.

    BatchError and ServiceError (COLLECTOR_001, COLLECTOR_002, UPLOAD_006) when it is refused; nothing is stored then.
    """
    batch_id = digest(order.dataset, file)
    for _ in range(store.ATTEMPTS):
        before = _stored_before(batch_id)
        if before is not None:
            return before
        try:
            with transaction.atomic():
                return _load(Reader(order.dataset, file, order.window), order, batch_id)
        except _StoredMeanwhileError:
            continue
        except OperationalError as error:
            if not isinstance(error.__cause__, postgres.DeadlockDetected):
                raise
    raise ServiceError("SERVER_002", "The load met too many others at once; nothing was stored.", retry_after=5)


def _stored_before(batch_id: str) -> Loaded | None:
    """One ledger row a machine, all with the file's digest as their id."""
    rows = Batch.objects.filter(batch_id=batch_id)
    first = rows.order_by("pk").first()
    if first is None:
        return None
    if rows.exclude(digest=batch_id).exists():
        raise ServiceError("UPLOAD_006", f"Batch {batch_id} was stored before with other content.")
    total = rows.aggregate(records=Sum("records"), duplicates=Sum("duplicates"))
    return Loaded(
        batch_id, total["records"], total["duplicates"], rows.count(), first.received_at, repeated=True,
        warnings=first.warnings,
    )  # fmt: skip


def _load(reader: Reader, order: Order, batch_id: str) -> Loaded:
    loading = _Loading(order, reader.warnings, batch_id)
    with ThreadPoolExecutor(1) as packer:
        for read, rows in _behind(loading.prepare(read, packer) for read in _ahead(iter(reader))):
            loading.add(read, rows.result())
    if not loading.stored:
        raise BatchError("empty", "The file has a header but no rows that can be stored.")
    return loading.finish()


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in a second thread while the one before it is used."""
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = worker.submit(next, items, None)
            yield item


def _behind(items: Iterator[T]) -> Iterator[T]:
    """The same items, each when the next one is begun."""
    for item, _ in itertools.pairwise(itertools.chain(items, (None,))):
        if item is not None:
            yield item


@dataclass
class _Machine:
    """What is stored so far of one machine of the file."""

    pk: int
    rows: int
    newest: datetime
    written: int = 0


class _Loading:
    """The state of one load, inside its transaction."""

    def __init__(self, order: Order, warnings: list[str], batch_id: str) -> None:
        self.order, self.warnings, self.batch_id = order, warnings, batch_id
        self.now = timezone.now()
        self.collectors = dict(Collector.objects.filter(active=True).values_list("machine_id", "pk"))
        self.stored: dict[str, _Machine] = {}
        self.registered: list[str] = []
        self.months = {partition.month for partition in partitions.existing()}

    def prepare(self, read: Read, packer: Executor) -> tuple[Read, Future[store.Rows]]:
        """What must be there before its rows are; these are packed meanwhile, while the piece before is in COPY."""
        for machine_id, machine in read.machines.items():
            self._enter(machine_id, machine)
        self._make_partitions(read)
        return read, packer.submit(read.rows, dict(self.collectors))

    def add(self, read: Read, rows: store.Rows) -> None:
        spans = [rollups.Span(self.collectors[machine_id], read.first, read.last) for machine_id in read.machines]
        try:
            store.copy(rows, rollups.stale_marks(spans, self.now))
            written = {self.collectors[machine_id]: machine.rows for machine_id, machine in read.machines.items()}
        except IntegrityError as error:
            if not isinstance(error.__cause__, postgres.UniqueViolation):
                raise
            rollups.mark_stale(spans, self.now)
            written = store.copy_missing(rows)
        for machine_id in read.machines:
            self.stored[machine_id].written += written.get(self.collectors[machine_id], 0)

    def _enter(self, machine_id: str, found: Machine) -> None:
        known = self.stored.get(machine_id)
        if known is not None:
            known.rows, known.newest = known.rows + found.rows, max(known.newest, found.newest)
            return
        if machine_id not in self.collectors:
            self._register(machine_id)
        pk = self.collectors[machine_id]
        batch = Batch(
            collector_id=pk, batch_id=self.batch_id, digest=self.batch_id, records=0, warnings=self.warnings,
            received_at=self.now,
        )  # fmt: skip
        try:
            with transaction.atomic():
                batch.save(force_insert=True)
        except IntegrityError as error:
            raise _StoredMeanwhileError from error
        self.stored[machine_id] = _Machine(pk, found.rows, found.newest)

    def _register(self, machine_id: str) -> None:
        if not self.order.register:
            raise ServiceError(
                "COLLECTOR_001",
                f"There is no machine {machine_id[:128]!r} here. Register it, or ask for it (register).",
            )
        collector, _ = registry.register(machine_id, "", actor=self.order.actor, ip=None)
        self.collectors[machine_id] = collector.pk
        self.registered.append(machine_id)

    def _make_partitions(self, read: Read) -> None:
        """In a transaction of their own, by another connection: the lock must not wait for the end of the load."""
        needed = set(months.between(read.first, read.last))
        if needed <= self.months:
            return
        failure: list[BaseException] = []
        maker = threading.Thread(target=_make_partitions, args=(current_schema(), needed, failure))
        maker.start()
        maker.join()
        if failure:
            raise failure[0]
        self.months |= needed

    def finish(self) -> Loaded:
        for machine in self.stored.values():
            Batch.objects.filter(collector_id=machine.pk, batch_id=self.batch_id).update(
                records=machine.rows, duplicates=machine.rows - machine.written
            )
            newest = min(machine.newest, self.now)
            Collector.objects.filter(pk=machine.pk).exclude(last_seen__gte=newest).update(last_seen=newest)
        records = sum(machine.rows for machine in self.stored.values())
        duplicates = records - sum(machine.written for machine in self.stored.values())
        audit.record(
            "import", user=self.order.actor, records=records, ip=self.order.ip, batch_id=self.batch_id,
            dataset=self.order.dataset.name, machines=len(self.stored), duplicates=duplicates,
        )  # fmt: skip
        return Loaded(
            self.batch_id, records, duplicates, len(self.stored), self.now, registered=self.registered,
            warnings=self.warnings,
        )  # fmt: skip


def _make_partitions(schema_name: str, needed: set[Month], failure: list[BaseException]) -> None:
    try:
        with schema_context(schema_name):
            partitions.create(partitions.plan(needed))
    except Exception as error:  # handed to the thread that waits
        failure.append(error)
    finally:
        connection.close()
