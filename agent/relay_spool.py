"""The relay's spool: one file a request, whole with its key, until the portal has acknowledged it."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
import time
from dataclasses import dataclass

from agent import durable
from agent.journal import CorruptError

_LOG = logging.getLogger("perfagent.relay")
_NAME = re.compile(r"(\d{10})-([0-9a-f]{32})-([0-9a-f]{16})\.request")
MAX_QUARANTINE_FILES = 1000


@dataclass(frozen=True)
class Upload:
    """One request as an agent sent it. headers: those that go on to the portal; they hold the key."""

    batch_id: str
    rows: int
    headers: dict[str, str]
    body: bytes

    @property
    def rows_are_said(self) -> bool:
        """By the agent that sent it, and not counted here."""
        return "Batch-Rows" in self.headers

    @property
    def key(self) -> str:
        return self.headers.get("Authorization", "").partition(" ")[2]

    @property
    def key_mark(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()[:16]

    @property
    def digest(self) -> str:
        """The same for the same batch of the same machine with the same content."""
        parts = (self.key.encode(), self.batch_id.encode(), self.body)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


@dataclass(frozen=True)
class Waiting:
    """key_mark: the same for all batches of one machine, so that those of one that must wait need not be read."""

    number: int
    digest: str
    key_mark: str
    path: str


class FullError(Exception):
    """The bound is reached. A relay refuses what is new: what it has accepted is its own to deliver."""


class RelaySpool:
    """Safe for several threads of one process."""

    def __init__(self, root: str, max_bytes: int) -> None:
        self.queue = f"{root}/requests"
        self.quarantine = f"{root}/quarantine"
        self._max_bytes = max_bytes
        self._guard = threading.Lock()
        self._sizes: dict[Waiting, int] = {}
        self._digests: set[str] = set()
        self._number = 0

    def open(self) -> None:
        for folder in (self.queue, self.quarantine):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        for name in sorted(os.listdir(self.queue)):
            self._take_over(name)

    def _take_over(self, name: str) -> None:
        path = f"{self.queue}/{name}"
        match = _NAME.fullmatch(name)
        if match:
            waiting = Waiting(int(match.group(1)), match.group(2), match.group(3), path)
            self._add(waiting, os.stat(path).st_size)
            self._number = max(self._number, waiting.number)
        elif name.endswith(durable.TEMPORARY):
            durable.remove(path)
        else:
            self._move_aside(path, "the name is not one of this spool")

    def _add(self, waiting: Waiting, size: int) -> None:
        self._sizes[waiting] = size
        self._digests.add(waiting.digest)

    def store(self, upload: Upload) -> None:
        """Durable on return. The same upload twice is one file. FullError or OSError: it was not accepted."""
        data, digest = encode(upload), upload.digest
        with self._guard:
            if digest in self._digests:
                return
            if sum(self._sizes.values()) + len(data) > self._max_bytes:
                raise FullError
            self._number += 1
            path = f"{self.queue}/{self._number:010d}-{digest}-{upload.key_mark}.request"
            durable.write_file(path, data)
            self._add(Waiting(self._number, digest, upload.key_mark, path), len(data))

    def waiting(self) -> list[Waiting]:
        """In the order of arrival."""
        with self._guard:
            return sorted(self._sizes, key=lambda waiting: waiting.number)

    def load(self, waiting: Waiting) -> Upload:
        with open(waiting.path, "rb") as file:
            upload = decode(file.read())
        if (upload.digest, upload.key_mark) != (waiting.digest, waiting.key_mark):
            raise CorruptError("the content does not match the file's name")
        return upload

    def remove(self, waiting: Waiting) -> None:
        durable.remove(waiting.path)
        self._forget(waiting)

    def _forget(self, waiting: Waiting) -> None:
        with self._guard:
            self._sizes.pop(waiting, None)
            self._digests.discard(waiting.digest)

    def set_aside(self, waiting: Waiting, reason: str) -> None:
        if self._move_aside(waiting.path, reason):
            self._forget(waiting)

    def _move_aside(self, path: str, reason: str) -> bool:
        name = os.path.basename(path)
        try:
            durable.rename(path, f"{self.quarantine}/{int(time.time())}-{name}")
            durable.sync_folder(self.queue)
        except OSError as error:
            _LOG.error("The file %s cannot be set aside: %s", name, error)
            return False
        _LOG.error("The file %s was set aside: %s", name, reason)
        for old in sorted(os.listdir(self.quarantine))[:-MAX_QUARANTINE_FILES]:
            durable.remove(f"{self.quarantine}/{old}")
        return True

    def usage(self) -> tuple[int, int]:
        """Batches that wait, and their bytes."""
        with self._guard:
            return len(self._sizes), sum(self._sizes.values())


def encode(upload: Upload) -> bytes:
    head = {"batch_id": upload.batch_id, "rows": upload.rows, "headers": upload.headers}
    return json.dumps(head).encode() + b"\n" + upload.body


def decode(data: bytes) -> Upload:
    head, newline, body = data.partition(b"\n")
    try:
        content = json.loads(head)
        upload = Upload(str(content["batch_id"]), int(content["rows"]), dict(content["headers"]), body)
    except (ValueError, KeyError, TypeError):
        raise CorruptError("the head cannot be read") from None
    if not newline:
        raise CorruptError("the file is truncated")
    return upload
