"""The relay: accepts, keeps through a kill, forwards each batch once with its machine's own key."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent.config import Config
from agent.spool import Spool
from agent.upload import drain

from tests.agent.model import Portal, Serving, page, refusal
from tests.agent.test_service import wait_for

ROOT = Path(__file__).parents[2]


class Relay:
    def __init__(self, tmp_path: Path, portal_url: str) -> None:
        self.folder = tmp_path / "relay-spool"
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.environment = {
            **os.environ,
            "PERFAGENT_URL": portal_url,
            "PERFAGENT_SPOOL_DIR": str(self.folder),
            "PERFAGENT_RELAY_LISTEN": f"127.0.0.1:{self.port}",
            "PERFAGENT_RELAY_MAX_BODY_MB": "0.1",
            "PERFAGENT_RELAY_SPOOL_MAX_MB": "1",
        }
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "agent", "relay"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stderr=subprocess.DEVNULL)
        wait_for(self.answers)
        return self.process

    def answers(self) -> bool:
        try:
            return bool(self.health())
        except OSError:
            return False

    def health(self) -> Any:
        with urllib.request.urlopen(f"{self.url}/health", timeout=5) as response:
            return json.load(response)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def portal() -> Portal:
    return Portal()


@pytest.fixture
def relay(tmp_path: Path, portal: Portal) -> Iterator[Relay]:
    with Serving(portal) as url:
        started = Relay(tmp_path, url)
        yield started
        started.process.terminate()
        assert started.process.wait(15) == 0


def send(relay: Relay, folder: Path, key: str, batches: int) -> list[str]:
    """Batch ids that the relay has acknowledged."""
    spool = Spool(str(folder))
    spool.open()
    for number in range(batches):
        spool.append({"system": [f"2026-01-05T12:00:{number:02d}Z,{key},1"]})
        spool.seal()
    ids = [sealed.batch_id for sealed in spool.batches()]
    outcome = drain(spool, Config(url=relay.url, key=key, spool_dir=str(folder)), timeout=5)
    assert (outcome.failure, outcome.sent_batches) == ("", batches)
    spool.close()
    return ids


def post(relay: Relay, body: bytes, path: str = "/v1/upload", **headers: str) -> tuple[int, Any]:
    fields = {"Authorization": "Bearer pfa_some_key", **{n.replace("_", "-"): v for n, v in headers.items()}}
    request = urllib.request.Request(relay.url + path, body, fields)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_each_batch_arrives_once_with_its_own_key(relay: Relay, portal: Portal, tmp_path: Path) -> None:
    ids = send(relay, tmp_path / "a", "pfa_key_a", 3) + send(relay, tmp_path / "b", "pfa_key_b", 2)
    wait_for(lambda: len(portal.ledger) == 5)
    assert set(portal.ledger) == set(ids)
    keys = {request["Batch-Id"]: request["Authorization"] for request in portal.requests}
    assert [keys[batch_id] for batch_id in ids] == ["Bearer pfa_key_a"] * 3 + ["Bearer pfa_key_b"] * 2
    wait_for(lambda: relay.health()["waiting_batches"] == 0)
    assert relay.health()["forwarded"] == 5


def test_a_kill_while_the_portal_is_away_loses_nothing(relay: Relay, portal: Portal, tmp_path: Path) -> None:
    portal.intercept = lambda *_: page(502)
    ids = send(relay, tmp_path / "a", "pfa_key_a", 3)
    relay.kill()
    portal.intercept = lambda *_: "portal"
    relay.start()
    wait_for(lambda: set(portal.ledger) == set(ids))
    assert len(portal.rows) == 3


def test_a_reply_lost_behind_the_relay_stores_once(relay: Relay, portal: Portal, tmp_path: Path) -> None:
    portal.intercept = lambda _, number: "lose reply" if number == 1 else "portal"
    send(relay, tmp_path / "a", "pfa_key_a", 2)
    wait_for(lambda: relay.health()["waiting_batches"] == 0, 20)
    assert len(portal.rows) == len(set(portal.rows)) == 2


def test_a_machine_that_is_refused_holds_up_no_other(relay: Relay, portal: Portal, tmp_path: Path) -> None:
    bad = send(relay, tmp_path / "bad", "pfa_key_bad", 1)
    wait_for(lambda: bad[0] in portal.ledger)
    refused = "Bearer pfa_key_bad"
    portal.ledger.clear()
    original = portal.receive

    def receive(headers: dict[str, str], body: bytes) -> Any:
        return refusal(401, "AUTH_001") if headers["Authorization"] == refused else original(headers, body)

    portal.receive = receive  # type: ignore[method-assign]
    send(relay, tmp_path / "bad2", "pfa_key_bad", 1)
    good = send(relay, tmp_path / "good", "pfa_key_good", 2)
    wait_for(lambda: set(good) <= set(portal.ledger))
    assert relay.health()["waiting_batches"] == 1


def test_a_poison_batch_is_set_aside(relay: Relay, portal: Portal, tmp_path: Path) -> None:
    portal.intercept = lambda *_: refusal(400, "UPLOAD_003")
    send(relay, tmp_path / "a", "pfa_key_a", 1)
    wait_for(lambda: relay.health()["quarantined"] == 1)
    assert len(os.listdir(relay.folder / "relay" / "quarantine")) == 1


def test_the_same_request_twice_waits_once(relay: Relay, portal: Portal) -> None:
    portal.intercept = lambda *_: page(502)
    first = post(relay, b"timestamp,cpu_user\n", Batch_Rows="1")
    assert post(relay, b"timestamp,cpu_user\n", Batch_Rows="1") == first
    assert first[0] == 202
    assert first[1]["records_processed"] == 1
    assert relay.health()["waiting_batches"] == 1


@pytest.mark.parametrize(
    ("body", "path", "headers", "http", "code"),
    [
        (b"x", "/nowhere", {}, 404, "RELAY_001"),
        (b"x", "/v1/upload", {"Authorization": "Basic abc"}, 401, "AUTH_002"),
        (b"x", "/v1/upload", {"Batch_Id": "../../x"}, 400, "RELAY_002"),
        (b"", "/v1/upload", {}, 400, "RELAY_004"),
        (b"x" * 200_000, "/v1/upload", {}, 413, "UPLOAD_004"),
    ],
    ids=["path", "credentials", "batch id", "empty", "too large"],
)
def test_a_bad_request_is_refused(
    relay: Relay, body: bytes, path: str, headers: dict[str, str], http: int, code: str
) -> None:
    status, content = post(relay, body, path, **headers)
    assert (status, content["code"]) == (http, code)


def test_a_request_without_a_length_is_refused(relay: Relay) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=5)
    chunks: Iterator[bytes] = iter([b"abc"])
    connection.request("POST", "/v1/upload", chunks, {"Authorization": "Bearer pfa_some_key"})
    assert connection.getresponse().status == 411


def test_a_full_relay_refuses_and_keeps_what_it_accepted(relay: Relay, portal: Portal) -> None:
    portal.intercept = lambda *_: page(502)
    codes = [post(relay, bytes([65 + n]) * 90_000)[0] for n in range(14)]
    assert codes[:10] == [202] * 10
    assert codes[-1] == 503
    assert relay.health()["waiting_batches"] == codes.count(202)


def test_a_strange_file_in_its_spool_stops_nothing(relay: Relay, portal: Portal, tmp_path: Path) -> None:
    relay.kill()
    requests = relay.folder / "relay" / "requests"
    (requests / "foreign.txt").write_text("?")
    (requests / ("0000000001-" + "a" * 32 + ".request")).write_bytes(b"torn")
    relay.start()
    ids = send(relay, tmp_path / "a", "pfa_key_a", 1)
    wait_for(lambda: set(ids) == set(portal.ledger))
    assert len(os.listdir(relay.folder / "relay" / "quarantine")) == 2
