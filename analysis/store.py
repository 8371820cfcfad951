"""The write path: one validated batch of several datasets, committed exactly once."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import Error, IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from psycopg2 import errors as postgres

from accounts import audit
from analysis import months, packing, partitions, rollups, tables
from analysis.models import Batch
from collectors import events
from collectors.events import Notes
from collectors.models import Collector
from core.batch import Table, Window
from core.catalogue import Dataset
from core.errors import ServiceError
from core.tenancy import Statement, current_schema

ATTEMPTS = 4
COPY_PIECE = 1 << 20
"""Bytes handed to the connection at a time."""


@dataclass(frozen=True)
class Rows:
    """Samples of one dataset as COPY takes them, `columns` in order; first and last are their timestamps."""

    dataset: Dataset
    columns: Sequence[str]
    body: bytes
    count: int
    first: datetime
    last: datetime
    form: str = "text"
    """text or binary, PostgreSQL's formats of COPY."""


@dataclass(frozen=True)
class Upload:
    """A batch of one machine, ready to store. `digest` is the SHA-256 of what was sent."""

    collector: Collector
    batch_id: str
    digest: str
    rows: Sequence[Rows]
    window: Window
    warnings: Sequence[str] = field(default_factory=tuple)
    ip: str | None = None
    notes: Notes = field(default_factory=Notes)

    @property
    def records(self) -> int:
        return sum(rows.count for rows in self.rows)


@dataclass(frozen=True)
class Receipt:
    """What the ledger says of a batch, and its answer repeats."""

    batch_id: str
    records: int
    duplicates: int
    warnings: Sequence[str]
    received_at: datetime


@dataclass(frozen=True)
class Stored:
    """repeated: the batch had been stored before, and nothing was written now."""

    batch: Receipt
    repeated: bool


def rows_of(table: Table, collector_id: int) -> Rows:
    """A decoded table of one machine as COPY takes it."""
    columns, body = packing.pack(table, collector_id)
    moments = table.columns["timestamp"]
    return Rows(table.dataset, columns, body, len(table), min(moments), max(moments), "binary")


def digest(parts: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 of the datasets sent, by name: the same whether they came packed, in one request or through a relay."""
    total = hashlib.sha256()
    for name, data in sorted(parts):
        total.update(f"{name}:{len(data)}:".encode())
        total.update(data)
    return total.hexdigest()


def store(upload: Upload) -> Stored:
    """Commit the batch once: ledger row, last_seen, audit and COPY of every dataset in one transaction.

    A batch stored before is answered from the ledger; the same id with other content is UPLOAD_006. A sample that is
    there already is ignored (first writer wins) and counted as a duplicate.
    """
    attempt = _store_new
    for _ in range(ATTEMPTS):
        try:
            return attempt(upload)
        except IntegrityError as error:
            if isinstance(error.__cause__, postgres.UniqueViolation):  # the batch or a sample is there already
                attempt = _store_missing
            elif isinstance(error.__cause__, postgres.CheckViolation):  # no partition for a month inside the window
                _make_partitions(upload)
            else:
                raise
        except OperationalError as error:
            if not isinstance(error.__cause__, postgres.DeadlockDetected):
                raise
    raise ServiceError("SERVER_002", "The batch met too many others at once; nothing was stored.", retry_after=2)


def _store_new(upload: Upload) -> Stored:
    """What nearly every batch is: neither it nor any of its samples is there. IntegrityError otherwise."""
    now = timezone.now()
    before = [*_notes(upload, now), (_LEDGER, _entry(upload, now)), *_traces(upload, now)]
    _copy_framed(upload.rows, before)
    _announce(upload, now)
    return Stored(_receipt(upload, now), repeated=False)


def _store_missing(upload: Upload) -> Stored:
    """What is not there yet of the batch, step by step."""
    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        for sql, values in _notes(upload, now):
            cursor.execute(sql, values)
        # Waits for another transaction that is storing the same batch now.
        cursor.execute(f"{_LEDGER} ON CONFLICT (collector_id, batch_id) DO NOTHING RETURNING id", _entry(upload, now))
        entered = cursor.fetchone()
        if entered is None:
            return Stored(_first_result(upload), repeated=True)
        for sql, values in _traces(upload, now):
            cursor.execute(sql, values)
        duplicates = upload.records - sum(_copy_missing(rows) for rows in upload.rows)
        Batch.objects.filter(pk=entered[0]).update(duplicates=duplicates)
        _announce(upload, now)
    return Stored(_receipt(upload, now, duplicates), repeated=False)


@dataclass(frozen=True)
class _Frame:
    """A transaction in words, for statements that share their round trip with others."""

    begin: str
    commit: str
    rollback: str

    def undo(self, cursor: Any) -> None:
        try:
            cursor.execute(self.rollback)
        except Error:  # the connection is gone, and its transaction with it
            connection.close()


def _frame() -> _Frame:
    if connection.in_atomic_block:
        return _Frame("SAVEPOINT upload", "RELEASE SAVEPOINT upload", "ROLLBACK TO SAVEPOINT upload")
    return _Frame("BEGIN", "COMMIT", "ROLLBACK")


_LEDGER = """
    INSERT INTO analysis_batch (collector_id, batch_id, digest, records, duplicates, warnings, received_at)
    VALUES (%s, %s, %s, %s, 0, %s, %s)
"""
_SEEN = "UPDATE collectors_collector SET last_seen = %s, ip_address = coalesce(%s, ip_address) WHERE id = %s"
_AUDIT = """
    INSERT INTO accounts_auditevent ("timestamp", event, "user", machine_id, records, ip, status, detail)
    VALUES (%s, 'upload', '', %s, %s, %s, 'success', '{}')
"""


def _receipt(upload: Upload, now: datetime, duplicates: int = 0) -> Receipt:
    return Receipt(upload.batch_id, upload.records, duplicates, upload.warnings, now)


def _entry(upload: Upload, now: datetime) -> list[Any]:
    warnings = json.dumps(list(upload.warnings))
    return [upload.collector.pk, upload.batch_id, upload.digest, upload.records, warnings, now]


def _notes(upload: Upload, now: datetime) -> list[Statement]:
    notes = upload.notes
    return events.statements(upload.collector.pk, notes, now) if notes.inventory or notes.events else []


def _traces(upload: Upload, now: datetime) -> list[Statement]:
    """What a new batch leaves beside its ledger row and its samples."""
    machine = upload.collector
    first, last = min(rows.first for rows in upload.rows), max(rows.last for rows in upload.rows)
    return [
        (_SEEN, [now, upload.ip, machine.pk]),
        (_AUDIT, [now, machine.machine_id, upload.records, upload.ip]),
        *rollups.stale_marks([rollups.Span(machine.pk, first, last)], now),
    ]


def _announce(upload: Upload, now: datetime) -> None:
    """The line that `audit.record` logs; its row goes with the ledger's, to save a round trip."""
    line = {
        "timestamp": now.isoformat(), "event": "upload", "user": "", "tenant": current_schema(),
        "machine_id": upload.collector.machine_id, "records": upload.records, "ip": upload.ip, "status": "success",
    }  # fmt: skip
    transaction.on_commit(lambda: audit.logger.info("%s", json.dumps(line)))


def _first_result(upload: Upload) -> Receipt:
    batch = Batch.objects.get(collector=upload.collector, batch_id=upload.batch_id)
    if batch.digest != upload.digest:
        raise ServiceError("UPLOAD_006", f"Batch {upload.batch_id} was stored before with other content.")
    return Receipt(batch.batch_id, batch.records, batch.duplicates, batch.warnings, batch.received_at)


def _make_partitions(upload: Upload) -> None:
    """Partitions for the batch's months; never for an instant outside the window (trap 15)."""
    earliest, latest = upload.window
    for rows in upload.rows:
        if rows.first < earliest or rows.last > latest:
            raise ServiceError("UPLOAD_007", "A timestamp lies outside what is kept.")
        partitions.create(partitions.plan(months.between(rows.first, rows.last)))


def copy(rows: Rows, before: Sequence[Statement] = ()) -> None:
    """A plain COPY after those statements, all or nothing; UniqueViolation when one of the samples is there already."""
    _copy_framed([rows], before)


def copy_missing(rows: Rows) -> dict[int, int]:
    """By way of a staging table, passing over what is there; collector id to how many of its rows were written."""
    table, columns = rows.dataset.table, _column_list(rows.columns)
    key = _column_list(tables.key_columns(rows.dataset))
    staging = f"staging_{rows.dataset.name}"
    # By key, so that overlapping batches lock in one order; of one key the first in the file, so that it wins.
    insert = f"""
        WITH written AS (
            INSERT INTO "{table}" ({columns}) SELECT {columns} FROM {staging} ORDER BY {key}, ctid
            ON CONFLICT ({key}) DO NOTHING RETURNING collector_id
        )
        SELECT collector_id, count(*) FROM written GROUP BY collector_id
    """  # noqa: S608  # our names
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE TEMP TABLE {staging} (LIKE "{table}") ON COMMIT DROP')
        _send_copy(cursor, _copy_statement(rows, staging), rows)
        cursor.execute(insert)
        written = dict(cursor.fetchall())
        cursor.execute(f"DROP TABLE {staging}")
    return written


def _copy_missing(rows: Rows) -> int:
    return sum(copy_missing(rows).values())


def _copy_framed(files: Sequence[Rows], before: Sequence[Statement]) -> None:
    """One round trip a file: what comes before goes with the first COPY, the end of the transaction with the last."""
    frame = _frame()
    with connection.cursor() as cursor:
        texts = [frame.begin, *(cursor.mogrify(sql, values).decode() for sql, values in before)]
        try:
            for rows in files:
                after = [frame.commit] if rows is files[-1] else []
                _send_copy(cursor, "; ".join([*texts, _copy_statement(rows, f'"{rows.dataset.table}"'), *after]), rows)
                texts = []
        except BaseException:
            frame.undo(cursor)
            raise


def _copy_statement(rows: Rows, target: str) -> str:
    return f"COPY {target} ({_column_list(rows.columns)}) FROM STDIN (FORMAT {rows.form})"


def _send_copy(cursor: Any, statement: str, rows: Rows) -> None:
    with connection.wrap_database_errors:
        cursor.copy_expert(statement, io.BytesIO(rows.body), size=COPY_PIECE)


def _column_list(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
