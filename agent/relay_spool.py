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
_NAME = re.compile(r"(\d{10})-([0-9a-f]{32})\.request")
MAX_QUARANTINE_FILES = 1000


@dataclass(frozen=True)
class Upload:
    """One request as an agent sent it. headers: those that go on to the portal; they hold the key."""

    batch_id: str
    rows: int
    headers: dict[str, str]
    body: bytes

    @property
    def key_digest(self) -> str:
        return hashlib.sha256(self.headers.get("Authorization", "").encode()).hexdigest()

    @property
    def digest(self) -> str:
        """The same for the same batch of the same machine with the same content."""
        parts = (self.key_digest.encode(), self.batch_id.encode(), self.body)
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


@dataclass(frozen=True)
class Waiting:
    number: int
    digest: str
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
        self._sizes: dict[str, int] = {}
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
            self._sizes[path] = os.stat(path).st_size
            self._number = max(self._number, int(match.group(1)))
        elif name.endswith(durable.TEMPORARY):
            durable.remove(path)
        else:
            self.set_aside(path, "the name is not one of this spool")

    def store(self, upload: Upload) -> None:
        """Durable on return. The same upload twice is one file. FullError or OSError: it was not accepted."""
        data = encode(upload)
        with self._guard:
            if any(upload.digest in path for path in self._sizes):
                return
            if sum(self._sizes.values()) + len(data) > self._max_bytes:
                raise FullError
            self._number += 1
            path = f"{self.queue}/{self._number:010d}-{upload.digest}.request"
            durable.write_file(path, data)
            self._sizes[path] = len(data)

    def waiting(self) -> list[Waiting]:
        """In the order of arrival."""
        with self._guard:
            paths = sorted(self._sizes)
        return [Waiting(int(name[:10]), name[11:43], path) for path in paths for name in [os.path.basename(path)]]

    def load(self, waiting: Waiting) -> Upload:
        with open(waiting.path, "rb") as file:
            upload = decode(file.read())
        if upload.digest != waiting.digest:
            raise CorruptError("the content does not match the file's name")
        return upload

    def remove(self, waiting: Waiting) -> None:
        durable.remove(waiting.path)
        with self._guard:
            self._sizes.pop(waiting.path, None)

    def set_aside(self, path: str, reason: str) -> None:
        name = os.path.basename(path)
        try:
            durable.rename(path, f"{self.quarantine}/{int(time.time())}-{name}")
            durable.sync_folder(self.queue)
        except OSError as error:
            _LOG.error("The file %s cannot be set aside: %s", name, error)
            return
        with self._guard:
            self._sizes.pop(path, None)
        _LOG.error("The file %s was set aside: %s", name, reason)
        for old in sorted(os.listdir(self.quarantine))[:-MAX_QUARANTINE_FILES]:
            durable.remove(f"{self.quarantine}/{old}")

    def usage(self) -> tuple[int, int]:
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
