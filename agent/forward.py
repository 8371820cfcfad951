"""The relay's way to the portal: in order for each machine; one that is refused holds up no other."""

from __future__ import annotations

import logging
import threading
import time
from typing import Dict, Optional

from agent.answers import Judgement, Verdict, judge
from agent.backoff import backoff_seconds, random_between
from agent.config import Config
from agent.journal import CorruptError
from agent.keys import KeyRing
from agent.relay_spool import RelaySpool, Upload, Waiting
from agent.transport import Answer, Connection
from agent.upload import PATH

_LOG = logging.getLogger("perfagent.relay")
_OWN_FAULT = ("AUTH_", "TENANT_", "RATE_", "SERVER_")
"""Codes that make one machine wait; every other failure makes all of them wait, since the portal is away."""
_REVOKED = "AUTH_001"
_IDLE_SECONDS = 5.0
_SKIP_BAD_ROWS = f"{PATH}?on_error=skip"


class Forwarder:
    """One thread, one connection a drain. Waits after failures: one for the portal, one for each machine's key."""

    def __init__(self, spool: RelaySpool, config: Config, keys: KeyRing) -> None:
        self._spool = spool
        self._config = config
        self._keys = keys
        self._awake = threading.Event()
        self._stopping = False
        self._failures: Dict[str, int] = {}
        self._not_before: Dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.counters = {"forwarded": 0, "quarantined": 0, "failed": 0}
        self.last_forwarded = 0.0
        self.last_failure = ""

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
            self._awake.wait(self._pause())

    def _pause(self) -> float:
        """Until the first machine that waits may try again."""
        waits = [moment - time.monotonic() for moment in self._not_before.values()]
        return min([_IDLE_SECONDS, *(max(wait, 0.01) for wait in waits if wait > -_IDLE_SECONDS)])

    def drain(self) -> None:
        connection = Connection(self._config.url, self._config.ca_file)
        held: set[str] = set()
        try:
            for waiting in self._spool.waiting():
                if self._stopping or self._is_held(""):
                    return
                if waiting.key_mark in held or self._is_held(waiting.key_mark):
                    continue
                if not self._forward(waiting, connection):
                    held.add(waiting.key_mark)
        finally:
            connection.close()

    def _is_held(self, who: str) -> bool:
        return time.monotonic() < self._not_before.get(who, 0.0)

    def _forward(self, waiting: Waiting, connection: Connection) -> bool:
        """False when it is kept."""
        upload = self._load(waiting)
        if upload is None:
            return True
        judgement = self._post(upload, connection, PATH)
        if judgement.verdict is Verdict.KEPT:
            self._hold(upload, judgement)
            return False
        self._release(upload.key_mark)
        if judgement.verdict is Verdict.REFUSED:
            return self._save_what_is_good(waiting, upload, judgement, connection)
        self._spool.remove(waiting)
        self._count_forwarded()
        return True

    def _load(self, waiting: Waiting) -> Optional[Upload]:
        try:
            return self._spool.load(waiting)
        except (CorruptError, OSError) as error:
            self._set_aside(waiting, str(error))
            return None

    def _save_what_is_good(self, waiting: Waiting, upload: Upload, refusal: Judgement, connection: Connection) -> bool:
        """Its agent is told already that it is stored, so the good rows of a bad batch go in without the bad ones."""
        judgement = self._post(upload, connection, _SKIP_BAD_ROWS)
        if judgement.verdict is Verdict.KEPT:
            self._hold(upload, judgement)
            return False
        self._set_aside(waiting, refusal.reason)
        if judgement.verdict is Verdict.STORED:
            self._count_forwarded()
        return True

    def _set_aside(self, waiting: Waiting, reason: str) -> None:
        self._spool.set_aside(waiting, reason)
        self.counters["quarantined"] += 1

    def _count_forwarded(self) -> None:
        self.counters["forwarded"] += 1
        self.last_forwarded = time.time()

    def _post(self, upload: Upload, connection: Connection, path: str) -> Judgement:
        try:
            answer = connection.post(path, upload.headers, upload.body)
        except OSError as error:
            return Judgement(Verdict.KEPT, f"{self._config.url} could not be reached: {error or type(error).__name__}")
        return judge_forwarded(answer, upload, all_rows=path == PATH)

    def _hold(self, upload: Upload, judgement: Judgement) -> None:
        who = upload.key_mark if judgement.code.startswith(_OWN_FAULT) else ""
        self._failures[who] = self._failures.get(who, 0) + 1
        wait = backoff_seconds(self._failures[who], judgement.retry_after, random_between)
        self._not_before[who] = time.monotonic() + wait
        self.counters["failed"] += 1
        self.last_failure = judgement.reason
        if judgement.code == _REVOKED:
            self._keys.forget(upload.key)
        whom = "one machine" if who else "all machines"
        _LOG.warning("Kept batch %s, %s wait %.0f s: %s", upload.batch_id, whom, wait, judgement.reason)

    def _release(self, key_mark: str) -> None:
        for who in (key_mark, ""):
            self._failures.pop(who, None)
            self._not_before.pop(who, None)


def judge_forwarded(answer: Answer, upload: Upload, all_rows: bool = True) -> Judgement:
    """As an agent judges; of a client that did not say how many rows it sends, only the batch id must come back."""
    return judge(answer, upload.batch_id, upload.rows if all_rows and upload.rows_are_said else None)
