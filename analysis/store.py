"""The write path: one validated batch of several datasets, committed exactly once."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from psycopg2 import errors as postgres

from accounts import audit
from analysis import months, partitions, rollups, tables
from analysis.models import Batch
from collectors import events
from collectors.events import Notes
from collectors.models import Collector
from core.batch import Table, Window
from core.catalogue import Dataset
from core.errors import ServiceError
from core.tenancy import current_schema

ATTEMPTS = 4
COPY_PIECE = 1 << 16
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
class Stored:
    """The ledger's answer. repeated: the batch had been stored before, and nothing was written now."""

    batch: Batch
    repeated: bool


def rows_of(table: Table, collector_id: int) -> Rows:
    """A decoded table of one machine as COPY text."""
    columns = {name: cells for name, cells in table.columns.items() if name != "machine_id"}
    count = len(table)
    texts = [column_text(cells) for cells in columns.values()]
    body = "".join(["\t".join(row) + "\n" for row in zip([str(collector_id)] * count, *texts, strict=True)]).encode()
    moments = table.columns["timestamp"]
    return Rows(table.dataset, ("collector_id", *columns), body, count, min(moments), max(moments))


def column_text(cells: Sequence[Any]) -> list[str]:
    """A column in PostgreSQL's text format; its values are of one type, or None."""
    if type(cells[0]) is float and None not in cells:
        return list(map(repr, cells))
    return list(map(_copy_text, cells))


def _copy_text(value: Any) -> str:
    """A value in PostgreSQL's text format: `\\N` is NULL; backslash, tab and newline are escaped."""
    if value is None:
        return r"\N"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    if isinstance(value, list):
        return "{" + ",".join(map(repr, value)) + "}"
    return value.isoformat() if isinstance(value, datetime) else str(value)


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
    write = copy
    for _ in range(ATTEMPTS):
        try:
            with transaction.atomic():
                return _store(upload, write)
        except IntegrityError as error:
            if isinstance(error.__cause__, postgres.UniqueViolation):  # a sample is there already: again, by staging
                write = _copy_missing
            elif isinstance(error.__cause__, postgres.CheckViolation):  # no partition for a month inside the window
                _make_partitions(upload)
            else:
                raise
        except OperationalError as error:
            if not isinstance(error.__cause__, postgres.DeadlockDetected):
                raise
    raise ServiceError("SERVER_002", "The batch met too many others at once; nothing was stored.", retry_after=2)


def _store(upload: Upload, write: Callable[[Rows], int]) -> Stored:
    if upload.notes.inventory or upload.notes.events:
        events.save(upload.collector.pk, upload.notes, timezone.now())
    batch = _enter(upload)
    if batch is None:
        return Stored(_first_result(upload), repeated=True)
    duplicates = upload.records - sum(write(rows) for rows in upload.rows)
    if duplicates:
        Batch.objects.filter(pk=batch.pk).update(duplicates=duplicates)
        batch.duplicates = duplicates
    first, last = min(rows.first for rows in upload.rows), max(rows.last for rows in upload.rows)
    rollups.mark_stale([rollups.Span(upload.collector.pk, first, last)], batch.received_at)
    return Stored(batch, repeated=False)


_ENTER = """
    WITH entered AS (
        INSERT INTO analysis_batch (collector_id, batch_id, digest, records, duplicates, warnings, received_at)
        VALUES (%(collector)s, %(batch_id)s, %(digest)s, %(records)s, 0, %(warnings)s, %(now)s)
        ON CONFLICT (collector_id, batch_id) DO NOTHING RETURNING id
    ), seen AS (
        UPDATE collectors_collector SET last_seen = %(now)s, ip_address = coalesce(%(ip)s, ip_address)
        FROM entered WHERE collectors_collector.id = %(collector)s
    ), audited AS (
        INSERT INTO accounts_auditevent ("timestamp", event, "user", machine_id, records, ip, status, detail)
        SELECT %(now)s, 'upload', '', %(machine_id)s, %(records)s, %(ip)s, 'success', '{}' FROM entered
    )
    SELECT id FROM entered
"""


def _enter(upload: Upload) -> Batch | None:
    """Ledger row, last_seen and audit in one statement; None when this batch is there already.

    Waits for another transaction that is storing the same batch now.
    """
    now = timezone.now()
    values: dict[str, str | int | datetime | None] = {
        "collector": upload.collector.pk, "machine_id": upload.collector.machine_id, "batch_id": upload.batch_id,
        "digest": upload.digest, "records": upload.records, "warnings": json.dumps(list(upload.warnings)),
        "ip": upload.ip, "now": now,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_ENTER, values)
        entered = cursor.fetchone()
    if entered is None:
        return None
    _announce(upload, now)
    return Batch(
        pk=entered[0], collector=upload.collector, batch_id=upload.batch_id, digest=upload.digest,
        records=upload.records, warnings=list(upload.warnings), received_at=now,
    )  # fmt: skip


def _announce(upload: Upload, moment: datetime) -> None:
    """The line that `audit.record` logs; its row is entered with the ledger's, to save a round trip."""
    line = {
        "timestamp": moment.isoformat(), "event": "upload", "user": "", "tenant": current_schema(),
        "machine_id": upload.collector.machine_id, "records": upload.records, "ip": upload.ip, "status": "success",
    }  # fmt: skip
    transaction.on_commit(lambda: audit.logger.info("%s", json.dumps(line)))


def _first_result(upload: Upload) -> Batch:
    batch = Batch.objects.get(collector=upload.collector, batch_id=upload.batch_id)
    if batch.digest != upload.digest:
        raise ServiceError("UPLOAD_006", f"Batch {upload.batch_id} was stored before with other content.")
    return batch


def _make_partitions(upload: Upload) -> None:
    """Partitions for the batch's months; never for an instant outside the window (trap 15)."""
    earliest, latest = upload.window
    for rows in upload.rows:
        if rows.first < earliest or rows.last > latest:
            raise ServiceError("UPLOAD_007", "A timestamp lies outside what is kept.")
        partitions.create(partitions.plan(months.between(rows.first, rows.last)))


def copy(rows: Rows) -> int:
    """A plain COPY; UniqueViolation when one of the samples is there already."""
    return _run_copy(rows, f'"{rows.dataset.table}"')


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
        _run_copy(rows, staging)
        cursor.execute(insert)
        written = dict(cursor.fetchall())
        cursor.execute(f"DROP TABLE {staging}")
    return written


def _copy_missing(rows: Rows) -> int:
    return sum(copy_missing(rows).values())


def _run_copy(rows: Rows, target: str) -> int:
    statement = f"COPY {target} ({_column_list(rows.columns)}) FROM STDIN (FORMAT {rows.form})"
    with connection.cursor() as cursor:
        with connection.wrap_database_errors:
            cursor.copy_expert(statement, io.BytesIO(rows.body), size=COPY_PIECE)
        return int(cursor.rowcount)


def _column_list(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
