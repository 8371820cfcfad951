"""Imported samples on the way of all uploads, in batches that are named for what they hold.

They need no spool: sysstat's own files keep them, and the name makes a repeat recognisable.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Callable

from agent import rows
from agent.answers import Judgement, Verdict, judge
from agent.backoff import backoff_seconds, random_between
from agent.config import Config
from agent.journal import Batch, Lines, Record
from agent.transport import Connection
from agent.upload import PATH, request

PREFIX = "import-"
MAX_TRIES = 6
_OUT_OF_WINDOW = "UPLOAD_007"


class Importer:
    """One connection; `failure` is a sentence after `send` has returned False."""

    def __init__(self, settings: Config, sleep: Callable[[float], None] = time.sleep) -> None:
        self._settings = settings
        self._sleep = sleep
        self._connection = Connection(settings.url, settings.ca_file)
        self.failure = ""
        self.samples = 0
        self.batches = 0
        self.partial = 0

    def close(self) -> None:
        self._connection.close()

    def summary(self) -> str:
        partial = f" Of {self.partial}, the rows before what the portal keeps were left out." if self.partial else ""
        return f"{self.samples} samples are stored, in {self.batches} batches.{partial}"

    def send(self, samples: Sequence[Lines]) -> bool:
        """Tries again after what may pass; False when it did not, or when the portal refuses the batch."""
        batch = make_batch(samples)
        judgement = self._send_patiently(batch, PATH, batch.rows)
        if judgement.verdict is Verdict.REFUSED and judgement.code == _OUT_OF_WINDOW:
            judgement = self._send_patiently(batch, f"{PATH}?on_error=skip", None)
            self.partial += 1
        if judgement.verdict is Verdict.REFUSED and judgement.code == "UPLOAD_001":
            return True  # every row of it is older than what the portal keeps
        if judgement.verdict is not Verdict.STORED:
            self.failure = judgement.reason
            return False
        self.samples += len(samples)
        self.batches += 1
        return True

    def _send_patiently(self, batch: Batch, path: str, row_count: int | None) -> Judgement:
        for failures in range(1, MAX_TRIES):
            judgement = self._post(batch, path, row_count)
            if judgement.verdict is not Verdict.KEPT or judgement.code.startswith(("AUTH_", "TENANT_")):
                return judgement
            self._sleep(backoff_seconds(failures, judgement.retry_after, random_between))
        return self._post(batch, path, row_count)

    def _post(self, batch: Batch, path: str, row_count: int | None) -> Judgement:
        headers, body = request(batch, self._settings.key)
        if row_count is None:
            headers = {name: value for name, value in headers.items() if name != "Batch-Rows"}
        try:
            answer = self._connection.post(path, headers, body)
        except OSError as error:
            reason = f"{self._settings.url} could not be reached: {error or type(error).__name__}."
            return Judgement(Verdict.KEPT, reason)
        return judge(answer, batch.batch_id, row_count)


def make_batch(samples: Sequence[Lines]) -> Batch:
    """Named by its content: the same history imported again is the same batch."""
    digest = hashlib.sha256()
    for lines in samples:
        for name, members in sorted(lines.items()):
            digest.update("\n".join([name, *members, ""]).encode())
    return Batch(f"{PREFIX}{digest.hexdigest()[:40]}", rows.headers(), tuple(Record(lines) for lines in samples))
