"""The database or a web worker dies in mid-upload: nothing that was answered 201 is lost, nothing is stored twice."""

from __future__ import annotations

import contextlib
import http.client
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg2
import pytest

from core import embedded
from tests import samples
from tests.live.portal import RunningPortal, running_portal

ROWS = 3
BATCHES = 40
BEGUN = samples.recent(24)
"""Read once: a batch that is sent again has the same bytes."""


@pytest.fixture
def mortal() -> Iterator[RunningPortal]:
    """A portal of this test's own, with two workers, because something in it dies."""
    with running_portal(workers=2) as running:
        yield running


def body(number: int) -> bytes:
    """Samples at instants that no other batch has."""
    start = BEGUN + samples.MINUTE * (number * ROWS)
    return samples.csv(start, [float(number % 100)] * ROWS)


class Sender(threading.Thread):
    """An agent: sends each batch again, under the same id, until the portal answers that it is stored."""

    def __init__(self, portal: RunningPortal, numbers: range) -> None:
        super().__init__()
        self.portal, self.numbers, self.accepted, self.failures = portal, numbers, 0, 0

    def run(self) -> None:
        for number in self.numbers:
            batch_id, deadline = uuid.uuid4().hex, time.monotonic() + 60
            while not self._send(number, batch_id) and time.monotonic() < deadline:
                self.failures += 1
                time.sleep(0.05)

    def _send(self, number: int, batch_id: str) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = self.portal.upload("alpha", body(number), Batch_Id=batch_id)
            if answer.status in (200, 201):
                assert answer.json()["records_processed"] == ROWS
                self.accepted += 1
                return True
            assert (answer.status, answer.json()["code"]) == (503, "SERVER_002"), answer.body
        return False


def sending(portal: RunningPortal, senders: int = 2) -> list[Sender]:
    threads = [Sender(portal, range(n * BATCHES, (n + 1) * BATCHES)) for n in range(senders)]
    for thread in threads:
        thread.start()
    return threads


def finish(senders: list[Sender]) -> None:
    for sender in senders:
        sender.join(120)
        assert not sender.is_alive()
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
    assert counts(portal) == (batches * ROWS, batches, batches)


def data_folder(portal: RunningPortal) -> Path:
    connection = psycopg2.connect(host=portal.socket, user="postgres")
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        return Path(cursor.fetchone()[0])


def server_of(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "postmaster.pid").read_text().split("\n")[0]))


def workers() -> list[psutil.Process]:
    """The web workers below this test, and of no other portal."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if not process.children() and "granian" in " ".join(process.cmdline())]


@pytest.mark.live
def test_a_worker_that_is_killed_loses_and_doubles_nothing(mortal: RunningPortal) -> None:
    """Killed at moments that lie before and after commits; the server starts another."""
    senders = sending(mortal)
    killed = 0
    while any(sender.is_alive() for sender in senders) and killed < 6:
        time.sleep(0.15)
        for process in workers()[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                killed += 1
    finish(senders)
    assert killed
    assert_each_once(mortal, senders)


@pytest.mark.live
def test_an_immediate_stop_of_the_database_loses_and_doubles_nothing(mortal: RunningPortal) -> None:
    folder = data_folder(mortal)
    server = server_of(folder)
    senders = sending(mortal)
    time.sleep(0.3)
    server.send_signal(signal.SIGQUIT)  # what pg_ctl stop -m immediate sends
    with restarted(folder, Path(mortal.socket), server):
        finish(senders)
        assert sum(sender.failures for sender in senders)
        assert_each_once(mortal, senders)


@contextlib.contextmanager
def restarted(folder: Path, socket: Path, former: psutil.Process) -> Iterator[None]:
    """The same cluster again, once its former server is gone; this one ends with the block, by its id."""
    deadline = time.monotonic() + 30
    while former.is_running() and former.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    cluster = replace(embedded._own(embedded.locate(folder.parent)), data=folder, socket=socket)
    server = embedded._start(cluster)
    try:
        yield
    finally:
        embedded._stop(server)
