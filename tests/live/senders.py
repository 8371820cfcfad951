"""Agents that send the same batches until they are stored, and what must be in the tables then."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
import uuid
from collections.abc import Sequence
from datetime import datetime

import psycopg2

from tests import samples
from tests.live.portal import RunningPortal

ROWS = 3
BATCHES = 40
BEGUN = samples.recent(24)
"""Read once: a batch that is sent again has the same bytes."""


def body(number: int, rows: int, begun: datetime = BEGUN) -> bytes:
    """Samples at instants that no other batch has."""
    step = samples.MINUTE / 20
    return samples.csv(begun + step * (number * rows), [float(number % 100)] * rows, step=step)


class Sender(threading.Thread):
    """An agent: sends each batch again, under the same id, until the portal answers that it is stored."""

    def __init__(self, portal: RunningPortal, bodies: Sequence[bytes], rows: int) -> None:
        super().__init__(daemon=True)
        self.portal, self.bodies, self.rows, self.accepted, self.failures = portal, bodies, rows, 0, 0
        self.unexpected: list[bytes] = []
        """Answers that no agent should get; after one it gives up."""

    def run(self) -> None:
        for body in self.bodies:
            batch_id, deadline = uuid.uuid4().hex, time.monotonic() + 60
            while not self._send(body, batch_id) and time.monotonic() < deadline:
                if self.unexpected:
                    return
                self.failures += 1
                time.sleep(0.05)

    def _send(self, body: bytes, batch_id: str) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = self.portal.upload("alpha", body, Batch_Id=batch_id)
            if answer.status in (200, 201) and answer.json()["records_processed"] == self.rows:
                self.accepted += 1
                return True
            if (answer.status, answer.json()["code"]) != (503, "SERVER_002"):
                self.unexpected.append(answer.body)
        return False


def sending(portal: RunningPortal, senders: int = 2, rows: int = ROWS, begun: datetime = BEGUN) -> list[Sender]:
    """Each with BATCHES of that many samples, one after the other from that instant on."""
    threads = [
        Sender(portal, [body(number, rows, begun) for number in range(n * BATCHES, (n + 1) * BATCHES)], rows)
        for n in range(senders)
    ]
    for thread in threads:
        thread.start()
    return threads


def wait_for_one(senders: list[Sender]) -> None:
    """Until a batch is stored."""
    deadline = time.monotonic() + 60
    while not any(sender.accepted for sender in senders):
        assert any(sender.is_alive() for sender in senders), [sender.unexpected for sender in senders]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def finish(senders: list[Sender]) -> None:
    for sender in senders:
        sender.join(120)
        assert not sender.is_alive()
        assert sender.unexpected == []
        assert sender.accepted == BATCHES


def counts(portal: RunningPortal) -> tuple[int, int, int]:
    """Samples, ledger rows and audit rows of uploads in alpha."""
    connection = psycopg2.connect(host=portal.socket, user="postgres")
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM alpha.analysis_data), (SELECT count(*) FROM alpha.analysis_batch),"
            " (SELECT count(*) FROM alpha.accounts_auditevent WHERE event = 'upload')"
        )
        found: tuple[int, int, int] = cursor.fetchone()
    return found


def assert_each_once(portal: RunningPortal, senders: list[Sender]) -> None:
    batches = len(senders) * BATCHES
    assert counts(portal) == (batches * senders[0].rows, batches, batches)
