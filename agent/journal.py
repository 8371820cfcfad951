"""The file of one batch: a header record, then a record a sample, each a line `<crc32> <json>`.

The batch id stands in the header and in the file's name from the first byte, so that no crash can give the same samples
two ids; and the CSV text is stored as it will be sent, so that a newer agent re-sends the same content.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent import durable, rows

FORMAT = 1
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
Lines = Mapping[str, list[str]]


class CorruptError(ValueError):
    """A spool file that does not hold what was written."""


@dataclass(frozen=True)
class Record:
    """One sample: CSV lines without header, by dataset."""

    lines: Lines

    @property
    def rows(self) -> int:
        return sum(map(len, self.lines.values()))


@dataclass(frozen=True)
class Batch:
    """What one upload carries. headers: the CSV header line by dataset."""

    batch_id: str
    headers: Mapping[str, str]
    records: tuple[Record, ...]

    @property
    def rows(self) -> int:
        return sum(record.rows for record in self.records)

    def files(self) -> dict[str, str]:
        """CSV text by dataset; only datasets that have rows."""
        files: dict[str, str] = {}
        for name, header in self.headers.items():
            lines = [line for record in self.records for line in record.lines.get(name, ())]
            if lines:
                files[name] = "\n".join([header, *lines]) + "\n"
        return files


def new_batch_id() -> str:
    """32 hexadecimal digits that no other machine has."""
    return os.urandom(16).hex()


def encode_record(content: Any) -> bytes:
    text = _to_json(content).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def encode_header(batch_id: str, csv_headers: Mapping[str, str]) -> bytes:
    return encode_record({"format": FORMAT, "batch_id": batch_id, "headers": csv_headers})


def encode_batch(batch: Batch) -> bytes:
    return encode_header(batch.batch_id, batch.headers) + b"".join(
        encode_record(record.lines) for record in batch.records
    )


def decode_record(line: bytes) -> Any:
    checksum, space, text = line.partition(b" ")
    if not space or checksum != b"%08x" % zlib.crc32(text):
        raise CorruptError("a record does not match its checksum")
    try:
        return json.loads(text)
    except ValueError:
        raise CorruptError("a record is not JSON") from None


def decode_batch(data: bytes) -> tuple[Batch, int]:
    """The batch, and how many bytes of the data are good: less than all when the last write was torn by a crash."""
    *complete, torn = data.split(b"\n")
    if complete and not torn and not _is_good(complete[-1]):
        torn = complete.pop() + b"\n"
    if not complete:
        raise CorruptError("the file has no header")
    batch_id, csv_headers = _header(decode_record(complete[0]))
    records = tuple(Record(_lines(decode_record(line))) for line in complete[1:])
    return Batch(batch_id, csv_headers, records), len(data) - len(torn)


def _is_good(line: bytes) -> bool:
    try:
        decode_record(line)
    except CorruptError:
        return False
    return True


def _header(content: Any) -> tuple[str, Mapping[str, str]]:
    try:
        if content["format"] != FORMAT:
            raise CorruptError(f"format {content['format']} is not known to this agent")
        return str(content["batch_id"]), dict(content["headers"])
    except (TypeError, KeyError, ValueError) as error:
        raise CorruptError(f"the header cannot be read: {error}") from None


def _lines(content: Any) -> Lines:
    if not isinstance(content, dict) or not all(isinstance(lines, list) for lines in content.values()):
        raise CorruptError("a record holds no lines")
    return content


class Journal:
    """The batch that is being filled. What is appended outlives this process at once, and a power cut once synced."""

    def __init__(self, path: str, batch_id: str) -> None:
        """A new file, which holds nothing before the first append; OSError when it cannot be made."""
        self.path = path
        self.samples = 0
        self.rows = 0
        self._header = encode_header(batch_id, rows.headers())
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._length = 0
        self._synced = 0
        self._unsynced: list[bytes] = []
        self._torn = False
        self._refused = False

    @property
    def size(self) -> int:
        return self._length

    @property
    def doubtful(self) -> int:
        """Samples that the disk has refused to take; they are in memory too until it takes them."""
        return len(self._unsynced) if self._refused else 0

    def append(self, lines: Lines) -> None:
        """OSError leaves the journal as it was: what a failed write left behind is cut off first."""
        data = self._header + encode_record(lines)
        self._write(data)
        self._length += len(data)
        self._unsynced.append(data)
        self._header = b""
        self.samples += 1
        self.rows += sum(map(len, lines.values()))

    def _write(self, data: bytes) -> None:
        if self._torn:
            self._cut()
        try:
            durable.write_all(self._handle, data)
        except OSError:
            self._torn = True
            self._try_cut()
            raise

    def sync(self) -> None:
        """OSError when the disk refuses.

        The kernel takes pages that it failed to write for written (fsync(2)), so the next call writes them anew.
        """
        if not self._unsynced:
            return
        if self._refused:
            self._cut()
            os.lseek(self._handle, self._synced, os.SEEK_SET)
            self._write(b"".join(self._unsynced))
        self._refused = True
        os.fsync(self._handle)
        if not self._synced:
            durable.sync_folder(os.path.dirname(self.path))
        self._refused = False
        self._synced = self._length
        self._unsynced.clear()

    def _cut(self) -> None:
        """Back to the last good record; what comes next must not stand behind the half of another."""
        os.ftruncate(self._handle, self._length)
        os.lseek(self._handle, self._length, os.SEEK_SET)
        self._torn = False

    def _try_cut(self) -> None:
        try:
            self._cut()
        except OSError:
            return

    def finish(self) -> None:
        """Cuts off what a failed write left, and syncs; OSError when the disk refuses."""
        if self._torn or os.fstat(self._handle).st_size != self._length:
            self._cut()
            os.fsync(self._handle)
        self.sync()

    def close(self) -> None:
        os.close(self._handle)
