"""The relay's way to the portal: in order for each machine; one that is refused holds up no other."""

from __future__ import annotations

import http.client
import logging
import threading
import time
from typing import Dict, Optional

from agent.answers import Judgement, Verdict, judge
from agent.backoff import backoff_seconds, random_between
from agent.config import Config
from agent.journal import CorruptError
from agent.relay_spool import RelaySpool, Upload, Waiting
from agent.transport import Answer, Connection
from agent.upload import PATH

_LOG = logging.getLogger("perfagent.relay")
_OWN_FAULT = ("AUTH_", "TENANT_", "RATE_")
_IDLE_SECONDS = 5.0


class Forwarder:
    """One thread, one connection a drain. Waits after failures: one for the portal, one for each machine's key."""

    def __init__(self, spool: RelaySpool, config: Config) -> None:
        self._spool = spool
        self._config = config
        self._awake = threading.Event()
        self._stopping = False
        self._failures: Dict[str, int] = {}
        self._not_before: Dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.counters = {"forwarded": 0, "quarantined": 0, "failed": 0}

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._awake.set()

    def stop(self, seconds: float = 5.0) -> None:
        self._stopping = True
        self._awake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping:
            self._awake.clear()
            try:
                self.drain()
            except Exception:
                _LOG.exception("Forwarding failed; it will be tried again")
            self._awake.wait(_IDLE_SECONDS if not self._is_held("") else 0.5)

    def drain(self) -> None:
        connection = Connection(self._config.url, self._config.ca_file)
        held: set[str] = set()
        try:
            for waiting in self._spool.waiting():
                if self._stopping or self._is_held(""):
                    return
                upload = self._load(waiting)
                if upload is None or upload.key_digest in held or self._is_held(upload.key_digest):
                    continue
                if not self._forward(waiting, upload, connection):
                    held.add(upload.key_digest)
        finally:
            connection.close()

    def _is_held(self, who: str) -> bool:
        return time.monotonic() < self._not_before.get(who, 0.0)

    def _load(self, waiting: Waiting) -> Optional[Upload]:
        try:
            return self._spool.load(waiting)
        except (CorruptError, OSError) as error:
            self._spool.set_aside(waiting.path, str(error))
            self.counters["quarantined"] += 1
            return None

    def _forward(self, waiting: Waiting, upload: Upload, connection: Connection) -> bool:
        """False when it is kept."""
        judgement = self._post(upload, connection)
        if judgement.verdict is Verdict.KEPT:
            self._hold(upload, judgement)
            return False
        self._failures.pop(upload.key_digest, None)
        self._failures.pop("", None)
        if judgement.verdict is Verdict.STORED:
            self._spool.remove(waiting)
            self.counters["forwarded"] += 1
        else:
            self._spool.set_aside(waiting.path, judgement.reason)
            self.counters["quarantined"] += 1
        return True

    def _post(self, upload: Upload, connection: Connection) -> Judgement:
        try:
            answer = connection.post(PATH, upload.headers, upload.body)
        except (OSError, http.client.HTTPException) as error:
            return Judgement(Verdict.KEPT, f"{self._config.url} could not be reached: {error or type(error).__name__}")
        return judge_forwarded(answer, upload)

    def _hold(self, upload: Upload, judgement: Judgement) -> None:
        who = upload.key_digest if judgement.code.startswith(_OWN_FAULT) else ""
        self._failures[who] = self._failures.get(who, 0) + 1
        wait = backoff_seconds(self._failures[who], judgement.retry_after, random_between)
        self._not_before[who] = time.monotonic() + wait
        self.counters["failed"] += 1
        whom = "one machine" if who else "all machines"
        _LOG.warning("Kept batch %s, %s wait %.0f s: %s", upload.batch_id, whom, wait, judgement.reason)


def judge_forwarded(answer: Answer, upload: Upload) -> Judgement:
    """As an agent judges; of a client that did not say how many rows it sends, only the batch id must come back."""
    return judge(answer, upload.batch_id, upload.rows or None)
