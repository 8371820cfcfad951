"""The real relay program: kill -9 while it accepts and forwards loses and doubles nothing that it has accepted."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.model import Portal, Serving, page
from tests.agent.test_service import wait_for

ROOT = Path(__file__).parents[2]
UPLOADS = 3
LAST_STEP = 57
"""Beyond the last step of a run, which test_the_steps_that_are_tried_cover_a_whole_run proves."""


class Killed:
    """`tests.agent.killed_relay` under one port; `step` 0 lets it live."""

    def __init__(self, folder: Path, portal_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        self.environment = {
            **os.environ,
            "PERFAGENT_CONFIG": os.devnull,
            "PERFAGENT_URL": portal_url,
            "PERFAGENT_SPOOL_DIR": str(folder),
            "PERFAGENT_RELAY_LISTEN": f"127.0.0.1:{self.port}",
        }

    def start(self, step: int = 0, when: str = "before") -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.agent.killed_relay", str(step), when]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stderr=subprocess.DEVNULL)

    def is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def send(self, number: int) -> bool:
        """Whether the relay has taken it over."""
        body = f"timestamp,cpu_user\n{1_767_614_400 + number},1\n".encode()
        headers = {"Authorization": "Bearer pfa_key_a", "Batch-Id": f"batch-{number}", "Content-Type": "text/csv"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/upload", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                return bool(json.load(response)["batch_id"] == f"batch-{number}")
        except (OSError, ValueError, http.client.HTTPException):
            return False


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    serving = Serving(Portal())
    with serving:
        yield serving


class Raw(Portal):
    """A portal that takes raw CSV bodies."""

    def receive(self, headers: dict[str, str], body: bytes):  # type: ignore[no-untyped-def]
        reply = self.intercept(headers["Batch-Id"], 1)
        if not isinstance(reply, str):
            return reply
        self.rows += [] if headers["Batch-Id"] in self.ledger else body.decode().splitlines()[1:]
        self.ledger[headers["Batch-Id"]] = 1
        content = {"status": "success", "records_processed": 1, "batch_id": headers["Batch-Id"]}
        return 201, {}, json.dumps(content).encode()


def run(killed: Killed, step: int, when: str) -> tuple[set[str], int | None]:
    """Batches that were accepted in a life that ends at that step, and how it ended."""
    process = killed.start(step, when)
    try:
        wait_for(lambda: process.poll() is not None or killed.is_up())
        accepted = {f"batch-{number}" for number in range(UPLOADS) if killed.send(number)}
        ended: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            ended = process.wait(0.3)
        return accepted, ended
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(1, LAST_STEP, 7))
def test_a_kill_at_any_step_loses_and_doubles_nothing_accepted(
    tmp_path: Path, server: Serving, step: int, when: str
) -> None:
    portal = server.serve(Raw())
    killed = Killed(tmp_path, server.url)
    accepted, _ = run(killed, step, when)
    again = killed.start()
    try:
        wait_for(lambda: accepted <= set(portal.ledger))
        assert len(portal.rows) == len(set(portal.rows))
    finally:
        again.kill()
        again.wait()


def test_a_kill_while_the_portal_is_away_loses_nothing(tmp_path: Path, server: Serving) -> None:
    portal = server.serve(Raw())
    killed = Killed(tmp_path, server.url)
    portal.intercept = lambda batch_id, _: page(502) if batch_id else "portal"
    accepted, _ = run(killed, 0, "before")
    assert len(accepted) == UPLOADS
    assert portal.rows == []
    portal.intercept = lambda *_: "portal"
    again = killed.start()
    try:
        wait_for(lambda: len(portal.rows) == UPLOADS)
    finally:
        again.kill()
        again.wait()


def test_the_steps_that_are_tried_cover_a_whole_run(tmp_path: Path, server: Serving) -> None:
    server.serve(Raw())
    accepted, ended = run(Killed(tmp_path, server.url), LAST_STEP, "before")
    assert (len(accepted), ended) == (UPLOADS, None)
