"""Drains in a short-lived child: TLS costs no memory in the service, and a hanging name lookup can be killed."""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import time
from typing import Any

from agent.backoff import backoff_seconds, random_between
from agent.config import Config
from agent.spool import Spool
from agent.upload import drain

_LOG = logging.getLogger("perfagent.upload")
MAX_DRAIN_SECONDS = 300.0
_PIPE_BYTES = 65_536
_CRASHED = {
    "sent_batches": 0,
    "sent_samples": 0,
    "sent_rows": 0,
    "refused_batches": 0,
    "refused_samples": 0,
    "split_batches": 0,
    "noted": False,
    "inventory": "",
    "failure": "the upload process ended without a result",
    "code": "",
    "retry_after": None,
}


class Uploader:
    """At most one child at a time. next_time is on the monotonic clock."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._pid = 0
        self._pipe = -1
        self._deadline = 0.0
        self._failures = 0
        self.next_time = 0.0
        self.notes: dict[str, str] = {}

    def due(self) -> bool:
        return not self._pid and time.monotonic() >= self.next_time

    def schedule(self, seconds: float) -> None:
        self.next_time = time.monotonic() + seconds

    def handles(self) -> list[int]:
        return [self._pipe] if self._pid else []

    def start(self, config: Config, notes: dict[str, str], inventory: str | None) -> None:
        """notes: form fields for the portal. inventory: the mark of the one that it has; None: do not look."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        started = time.monotonic()
        pid = os.fork()
        if pid == 0:
            _drain_in_child(self._spool, config, writer, started, notes, inventory)
        os.close(writer)
        self.notes = notes
        self._pid, self._pipe, self._deadline = pid, reader, started + MAX_DRAIN_SECONDS + 60.0
        self.next_time = self._deadline

    def collect(self) -> dict[str, Any] | None:
        """The outcome of a child that has ended; None while it works or when there is none."""
        if not self._pid:
            return None
        if time.monotonic() >= self._deadline:
            os.kill(self._pid, signal.SIGKILL)
        elif not select.select([self._pipe], [], [], 0)[0]:
            return None
        return self._reap()

    def wait(self, seconds: float) -> dict[str, Any] | None:
        """The outcome of the child, which is killed when it takes longer."""
        if not self._pid:
            return None
        if not select.select([self._pipe], [], [], seconds)[0]:
            os.kill(self._pid, signal.SIGKILL)
        return self._reap()

    def finish(self, seconds: float) -> dict[str, Any] | None:
        """The outcome of a child that is told to end after the batch that it is sending."""
        if self._pid:
            os.kill(self._pid, signal.SIGTERM)
        return self.wait(seconds)

    def _reap(self) -> dict[str, Any]:
        text = chunk = os.read(self._pipe, _PIPE_BYTES)
        while chunk:
            chunk = os.read(self._pipe, _PIPE_BYTES)
            text += chunk
        os.close(self._pipe)
        os.waitpid(self._pid, 0)
        self._pid, self._pipe = 0, -1
        try:
            return {**_CRASHED, **json.loads(text)}
        except ValueError:
            return dict(_CRASHED)

    def plan_next(self, outcome: dict[str, Any], upload_seconds: float) -> None:
        """The next tick, with a little jitter so that a fleet spreads; after a failure, full jitter."""
        if not outcome["failure"]:
            self._failures = 0
            self.schedule(upload_seconds + random_between(0, min(upload_seconds / 20, 15.0)))
            return
        self._failures += 1
        wait = backoff_seconds(self._failures, outcome["retry_after"], random_between)
        self.schedule(wait)
        refused = outcome["code"].startswith(("AUTH_", "TENANT_"))
        log = _LOG.error if refused else _LOG.warning
        log("Upload failed, everything is kept, next try in %.0f s: %s", wait, outcome["failure"])


def _drain_in_child(
    spool: Spool, config: Config, writer: int, started: float, notes: dict[str, str], inventory_sent: str | None
) -> None:
    """Never returns. What only it needs is imported in it."""
    parent = os.getppid()
    try:
        signal.set_wakeup_fd(-1)
        stopping: list[int] = []
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _: stopping.append(got))
        spool.release_lock()
        mark = ""
        if inventory_sent is not None:
            from agent import inventory

            text, mark = inventory.changed(config, inventory_sent)
            notes = {**notes, "inventory": text} if text else notes

        def keep_going() -> bool:
            return not stopping and os.getppid() == parent and time.monotonic() - started < MAX_DRAIN_SECONDS

        outcome = {**drain(spool, config, keep_going, notes=notes).as_dict(), "inventory": mark}
    except Exception as error:
        _LOG.exception("The upload process failed")
        outcome = {"failure": f"the upload process failed: {error}"}
    try:
        os.write(writer, json.dumps(outcome).encode())
    finally:
        os._exit(0)
