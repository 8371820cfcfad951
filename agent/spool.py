"""The spool: a folder of batches that are not yet acknowledged, oldest first, bounded by size and age.

queue/<number>-<batch id>.journal                    the batch that is being filled
queue/<number>-<batch id>-<samples>-<rows>.batch     sealed: never changed again, only sent and removed
quarantine/                                          what the portal refused, and what is no batch of ours
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from agent import clocks, durable
from agent.ages import Ages
from agent.journal import Batch, CorruptError, Journal, Lines, decode_batch, encode_batch, new_batch_id

_LOG = logging.getLogger("perfagent.spool")
_JOURNAL = re.compile(r"(\d{10})-([0-9a-f]{32})\.journal")
_BATCH = re.compile(r"(\d{10})-([0-9a-f]{32})-(\d+)-(\d+)\.batch")
MAX_JOURNAL_BYTES = 1 << 20
QUARANTINE_BYTES = 64 << 20
SYNC_SECONDS = 10.0
"""The longest that a sample waits for the disk: a power cut can take it until then, the end of the process cannot."""


class SpoolError(Exception):
    """The spool cannot be used at all; the sentence says why."""


@dataclass(frozen=True)
class Sealed:
    """A sealed batch by its file's name."""

    number: int
    batch_id: str
    samples: int
    rows: int
    path: str


class Spool:
    """One agent's own. `counters` counts what was lost or set aside, in samples; the caller reports and clears them."""

    def __init__(self, root: str, now: Callable[[], clocks.Instant] = clocks.now) -> None:
        self.root = root
        self._now = now
        self.queue = f"{root}/queue"
        self.quarantine_folder = f"{root}/quarantine"
        self.counters: Counter[str] = Counter()
        self._journal: Journal | None = None
        self._lock = -1
        self._number = 0
        self._synced_at = float("-inf")
        self._ages = Ages(now())

    def open(self) -> None:
        """Locks the folder and sets right what a crash left; SpoolError when another agent has it."""
        self._lock = lock_folder(self.root)
        try:
            for folder in (self.queue, self.quarantine_folder):
                os.makedirs(folder, mode=0o700, exist_ok=True)
            self._recover()
            self._ages = Ages(self._now(), (sealed.batch_id for sealed in self.batches()))
        except OSError as error:
            raise SpoolError(f"The spool {self.root} cannot be used: {error.strerror}.") from None

    def release_lock(self) -> None:
        """In a child: the lock belongs to the process that opened the spool."""
        os.close(self._lock)

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        self.release_lock()

    def _recover(self) -> None:
        for name in sorted(os.listdir(self.queue)):
            path = f"{self.queue}/{name}"
            try:
                self._recover_file(name, path)
            except (CorruptError, OSError) as error:
                self.set_aside(path, str(error))

    def _recover_file(self, name: str, path: str) -> None:
        if name.endswith(durable.TEMPORARY):
            durable.remove(path)
        elif _JOURNAL.fullmatch(name):
            self._recover_journal(path)
        elif not _BATCH.fullmatch(name):
            raise CorruptError("the name is not one of this spool")

    def _recover_journal(self, path: str) -> None:
        data = _read(path)
        try:
            batch, good = decode_batch(data)
        except CorruptError:
            if b"\n" in data:
                raise
            return durable.remove(path)
        if not batch.records:
            return durable.remove(path)
        if good != len(data):
            _truncate(path, good)
        return self._seal(path, len(batch.records), batch.rows)

    def append(self, lines: Lines) -> None:
        """One sample, safe from the end of this process on return; OSError when it is not in the spool."""
        if self._journal is not None and self._journal.size > MAX_JOURNAL_BYTES:
            self.seal()
        if self._journal is None:
            batch_id = new_batch_id()
            self._journal = Journal(f"{self.queue}/{self._next_number():010d}-{batch_id}.journal", batch_id)
        try:
            self._journal.append(lines)
        except OSError:
            self._leave_no_empty_journal()
            raise

    def sync_if_due(self) -> None:
        """After each sample: one that comes a minute after the last goes to disk at once; of one a second, each tenth.

        OSError when the disk refuses; then the next call tries again.
        """
        moment = self._now().monotonic
        if self._journal is not None and moment - self._synced_at >= SYNC_SECONDS:
            self._journal.sync()
            self._synced_at = moment

    @property
    def doubtful_samples(self) -> int:
        """Those that are written, and that the disk has refused to take."""
        return self._journal.doubtful if self._journal is not None else 0

    def _leave_no_empty_journal(self) -> None:
        journal = self._journal
        if journal is not None and not journal.samples:
            self._journal = None
            journal.close()
            os.unlink(journal.path)

    def _next_number(self) -> int:
        """Looked up once: nobody but this spool makes numbers, and a split in the child keeps its batch's."""
        if not self._number:
            self._number = max((sealed.number for sealed in self.batches()), default=0)
        self._number += 1
        return self._number

    def seal(self) -> None:
        """Ends the open batch; from here on its content never changes."""
        journal = self._journal
        if journal is None or not journal.samples:
            return
        journal.finish()
        self._seal(journal.path, journal.samples, journal.rows)
        self._journal = None
        journal.close()

    def _seal(self, path: str, samples: int, rows: int) -> None:
        """Not synced: after a power cut it may be a journal again, with the same content and the same id."""
        stem = path[: -len(".journal")]
        os.rename(path, f"{stem}-{samples}-{rows}.batch")

    def batches(self) -> list[Sealed]:
        """Sealed batches, oldest first."""
        return sorted(self._sealed(), key=lambda sealed: (sealed.number, sealed.batch_id))

    def _sealed(self) -> Iterator[Sealed]:
        for name in os.listdir(self.queue):
            match = _BATCH.fullmatch(name)
            if match:
                number, batch_id, samples, rows = match.groups()
                yield Sealed(int(number), batch_id, int(samples), int(rows), f"{self.queue}/{name}")

    def newest(self) -> float:
        """When a sample was last written, by the wall clock; 0 when none waits."""
        return max((os.stat(sealed.path).st_mtime for sealed in self.batches()), default=0.0)

    def load(self, sealed: Sealed) -> Batch:
        """CorruptError when the file does not hold what its name promises."""
        data = _read(sealed.path)
        batch, good = decode_batch(data)
        promised = (sealed.batch_id, sealed.samples, sealed.rows)
        if good != len(data) or (batch.batch_id, len(batch.records), batch.rows) != promised:
            raise CorruptError("the file does not hold what its name promises")
        return batch

    def acknowledge(self, sealed: Sealed) -> None:
        """Never raises: what cannot be removed is sent again, and stored once."""
        try:
            durable.remove(sealed.path)
        except OSError as error:
            _LOG.error("The sent batch %s cannot be removed: %s", sealed.batch_id, error)

    def split(self, sealed: Sealed, batch: Batch) -> None:
        """Two halves in place of a batch that is too large, or has a bad sample in it.

        Their ids follow from its id, so a repeat is the same.
        """
        import uuid  # for batches that are refused, and those are split in the upload process

        middle = len(batch.records) // 2
        for half, records in (("a", batch.records[:middle]), ("b", batch.records[middle:])):
            batch_id = uuid.uuid5(uuid.UUID(batch.batch_id), half).hex
            part = Batch(batch_id, batch.headers, records)
            name = f"{sealed.number:010d}-{batch_id}-{len(records)}-{part.rows}.batch"
            durable.write_file(f"{self.queue}/{name}", encode_batch(part))
        durable.remove(sealed.path)

    def set_aside(self, path: str, reason: str) -> None:
        """Into quarantine, for a person to look at; never raises, the service must go on."""
        name = os.path.basename(path)
        match = _BATCH.fullmatch(name)
        try:
            durable.rename(path, f"{self.quarantine_folder}/{int(time.time())}-{name}")
            durable.sync_folder(self.queue)
        except OSError as error:
            _LOG.error("The file %s cannot be set aside: %s", name, error)
            return
        self.counters["quarantined_files"] += 1
        self.counters["quarantined_samples"] += int(match.group(3)) if match else 0
        _LOG.error("The file %s was set aside in quarantine: %s", name, reason)

    def enforce_bounds(self, max_bytes: int, max_age_seconds: float) -> None:
        """Drops the oldest batches past the limits, and says so."""
        batches = self.batches()
        infos = [(sealed, os.stat(sealed.path)) for sealed in batches]
        size = sum(info.st_size for _, info in infos)
        now = self._now()
        for sealed, info in infos:
            too_old = self._ages.seconds(sealed.batch_id, info.st_mtime, now) > max_age_seconds
            if size > max_bytes or too_old:
                size -= info.st_size
                self._drop(sealed, "its age" if too_old else "the spool's size")
        self._ages.forget_all_but({sealed.batch_id for sealed in batches})
        self._bound_quarantine()

    def _drop(self, sealed: Sealed, limit: str) -> None:
        durable.remove(sealed.path)
        self.counters["dropped_batches"] += 1
        self.counters["dropped_samples"] += sealed.samples
        _LOG.error("Dropped batch %s with %d samples: the limit on %s.", sealed.batch_id, sealed.samples, limit)

    def _bound_quarantine(self) -> None:
        names = sorted(os.listdir(self.quarantine_folder), reverse=True)
        room = QUARANTINE_BYTES
        for name in names:
            path = f"{self.quarantine_folder}/{name}"
            room -= os.lstat(path).st_size
            if room < 0 and os.path.isfile(path):
                durable.remove(path)
                _LOG.error("Removed %s from a full quarantine.", name)

    def usage(self) -> tuple[int, int]:
        """Batches that wait, and their bytes."""
        batches = self.batches()
        return len(batches), sum(os.stat(sealed.path).st_size for sealed in batches)


def lock_folder(root: str) -> int:
    """Makes the folder and locks it until the handle is closed; SpoolError when another process has it."""
    try:
        os.makedirs(root, mode=0o700, exist_ok=True)
        handle = os.open(f"{root}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise SpoolError(f"The spool {root} is in use by another agent; stop that one first.") from None
    except OSError as error:
        raise SpoolError(f"The spool {root} cannot be used: {error.strerror}.") from None
    return handle


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _truncate(path: str, length: int) -> None:
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(handle, length)
        os.fsync(handle)
    finally:
        os.close(handle)
