"""The relay: accepts for known keys only, forwards each batch once with its machine's own key."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from agent import forward, relay
from agent.config import Config
from agent.spool import Spool
from agent.upload import drain

from tests.agent.model import Portal, Serving, page, parse_multipart, refusal
from tests.agent.test_service import wait_for


class Relay:
    """One in this process, which a test may stop and start again."""

    def __init__(self, folder: Path, portal_url: str) -> None:
        self.config = Config(
            url=portal_url,
            spool_dir=str(folder),
            relay_listen="127.0.0.1:0",
            relay_max_body_mb=0.1,
            relay_spool_max_mb=1,
        )
        self.folder = folder / "relay"
        self.start()

    def start(self) -> None:
        self.server = relay.build(self.config)
        self.url = f"http://localhost:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.server.forwarder.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.server.forwarder.stop()

    def health(self) -> Any:
        with urllib.request.urlopen(f"{self.url}/health", timeout=5) as response:
            return json.load(response)


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    serving = Serving(Portal())
    with serving:
        yield serving


@pytest.fixture
def portal(server: Serving) -> Portal:
    return server.serve(Portal())


@pytest.fixture
def hub(tmp_path: Path, server: Serving, portal: Portal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    monkeypatch.setattr(forward, "backoff_seconds", lambda *_: 0.05)
    started = Relay(tmp_path / "relay-spool", server.url)
    yield started
    started.stop()


def send(hub: Relay, folder: Path, key: str, batches: int) -> list[str]:
    """Batch ids that the relay has acknowledged."""
    spool = Spool(str(folder))
    spool.open()
    for number in range(batches):
        spool.append({"system": [f"2026-01-05T12:00:{number:02d}Z,{key},1"]})
        spool.seal()
    ids = [sealed.batch_id for sealed in spool.batches()]
    outcome = drain(spool, Config(url=hub.url, key=key, spool_dir=str(folder)), timeout=5)
    assert (outcome.failure, outcome.sent_batches) == ("", batches)
    spool.close()
    return ids


def post(hub: Relay, body: bytes, path: str = "/v1/upload", **headers: str) -> tuple[int, Any]:
    fields = {"Authorization": "Bearer pfa_some_key", **{n.replace("_", "-"): v for n, v in headers.items()}}
    request = urllib.request.Request(hub.url + path, body, fields)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_each_batch_arrives_once_with_its_own_key(hub: Relay, portal: Portal, tmp_path: Path) -> None:
    ids = send(hub, tmp_path / "a", "pfa_key_a", 3) + send(hub, tmp_path / "b", "pfa_key_b", 2)
    wait_for(lambda: len(portal.ledger) == 5)
    assert set(portal.ledger) == set(ids)
    keys = {request["Batch-Id"]: request["Authorization"] for request in portal.requests}
    assert [keys[batch_id] for batch_id in ids] == ["Bearer pfa_key_a"] * 3 + ["Bearer pfa_key_b"] * 2
    wait_for(lambda: hub.health()["waiting_batches"] == 0)
    health = hub.health()
    assert (health["accepted"], health["forwarded"], health["known_keys"]) == (5, 5, 2)
    assert health["last_forwarded"] > 0


def test_a_reply_lost_behind_the_relay_stores_once(hub: Relay, portal: Portal, tmp_path: Path) -> None:
    portal.intercept = lambda _, number: "lose reply" if number == 1 else "portal"
    send(hub, tmp_path / "a", "pfa_key_a", 2)
    wait_for(lambda: hub.health()["waiting_batches"] == 0)
    assert len(portal.rows) == len(set(portal.rows)) == 2


def answering(portal: Portal, key: str, reply: Any) -> None:
    """The portal takes uploads of all machines but one."""
    original = portal.receive

    def receive(headers: dict[str, str], body: bytes) -> Any:
        return reply if headers["Authorization"] == f"Bearer {key}" else original(headers, body)

    portal.receive = receive  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "reply",
    [refusal(401, "AUTH_001"), refusal(429, "RATE_001"), refusal(500, "SERVER_001"), refusal(503, "SERVER_002")],
)
def test_a_machine_that_is_refused_holds_up_no_other(hub: Relay, portal: Portal, tmp_path: Path, reply: Any) -> None:
    answering(portal, "pfa_key_bad", reply)
    send(hub, tmp_path / "bad", "pfa_key_bad", 1)
    good = send(hub, tmp_path / "good", "pfa_key_good", 2)
    wait_for(lambda: set(good) <= set(portal.ledger))
    wait_for(lambda: hub.health()["waiting_batches"] == 1)
    assert hub.health()["failed"] >= 1


def answer_all(portal: Portal, reply: Any) -> None:
    portal.intercept = lambda *_: reply


def fails_with(hub: Relay, reason: str) -> bool:
    return reason in hub.health()["last_failure"]


def test_the_page_of_a_proxy_makes_everybody_wait_and_loses_nothing(hub: Relay, portal: Portal, tmp_path: Path) -> None:
    send(hub, tmp_path / "a", "pfa_key_a", 1)
    for reply in (page(200), page(404), page(413), page(502)):
        answer_all(portal, reply)
        send(hub, tmp_path / str(reply[0]), "pfa_key_a", 1)
        wait_for(partial(fails_with, hub, f"HTTP {reply[0]}"))
    portal.intercept = lambda *_: "portal"
    wait_for(lambda: len(portal.ledger) == 5)


def test_the_good_rows_of_a_poison_batch_go_in_and_the_batch_is_set_aside(
    hub: Relay, portal: Portal, tmp_path: Path
) -> None:
    original = portal.receive

    def receive(headers: dict[str, str], body: bytes) -> Any:
        skips = headers["path"].endswith("?on_error=skip")
        return original(headers, body) if skips else refusal(400, "UPLOAD_003")

    portal.receive = receive  # type: ignore[method-assign]
    send(hub, tmp_path / "a", "pfa_key_a", 1)
    wait_for(lambda: hub.health()["quarantined"] == 1)
    assert len(os.listdir(hub.folder / "quarantine")) == 1
    assert len(portal.rows) == 1


def test_a_batch_that_is_refused_as_a_whole_is_set_aside(hub: Relay, portal: Portal, tmp_path: Path) -> None:
    portal.intercept = lambda batch_id, _: refusal(400, "UPLOAD_005") if batch_id else "portal"
    send(hub, tmp_path / "a", "pfa_key_a", 1)
    wait_for(lambda: hub.health()["quarantined"] == 1)
    assert hub.health()["waiting_batches"] == 0


def test_the_same_request_twice_waits_once(hub: Relay, portal: Portal) -> None:
    portal.intercept = lambda batch_id, _: page(502) if batch_id else "portal"
    first = post(hub, b"timestamp,cpu_user\n1,2\n", Batch_Rows="1")
    assert post(hub, b"timestamp,cpu_user\n1,2\n", Batch_Rows="1") == first
    assert first[0] == 202
    assert first[1]["records_processed"] == 1
    assert hub.health()["waiting_batches"] == 1


@pytest.mark.parametrize("zipped", [False, True])
def test_rows_are_counted_where_the_client_does_not_say(hub: Relay, portal: Portal, zipped: bool) -> None:
    portal.receive = lambda headers, body: page(502)  # type: ignore[method-assign]
    text = b"timestamp,cpu_user\n1767614400,1\n1767614401,2"
    body = gzip.compress(text) if zipped else text
    assert post(hub, body, Content_Type="text/csv")[1]["records_processed"] == 2
    parts = b'--X\r\nContent-Disposition: form-data; name="machine_id"\r\n\r\nm\r\n'
    parts += b'--X\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + body + b"\r\n--X--\r\n"
    assert post(hub, parts, Content_Type="multipart/form-data; boundary=X")[1]["records_processed"] == 2


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
    hub: Relay, body: bytes, path: str, headers: dict[str, str], http: int, code: str
) -> None:
    status, content = post(hub, body, path, **headers)
    assert (status, content["code"]) == (http, code)


def test_a_request_without_a_length_is_refused(hub: Relay) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", hub.server.server_address[1], timeout=5)
    chunks: Iterator[bytes] = iter([b"abc"])
    connection.request("POST", "/v1/upload", chunks, {"Authorization": "Bearer pfa_some_key"})
    assert connection.getresponse().status == 411


def test_a_full_relay_refuses_and_keeps_what_it_accepted(hub: Relay, portal: Portal) -> None:
    portal.receive = lambda headers, body: page(502)  # type: ignore[method-assign]
    codes = [post(hub, bytes([65 + n]) * 90_000)[0] for n in range(14)]
    assert codes[:10] == [202] * 10
    assert codes[-1] == 503
    assert hub.health()["waiting_batches"] == codes.count(202)


def test_a_strange_file_in_its_spool_stops_nothing(hub: Relay, portal: Portal, tmp_path: Path) -> None:
    hub.stop()
    (hub.folder / "requests" / "foreign.txt").write_text("?")
    torn = "0000000001-" + "a" * 32 + "-" + "b" * 16 + ".request"
    (hub.folder / "requests" / torn).write_bytes(b"torn")
    hub.start()
    ids = send(hub, tmp_path / "a", "pfa_key_a", 1)
    wait_for(lambda: set(ids) == set(portal.ledger))
    assert len(os.listdir(hub.folder / "quarantine")) == 2


def test_a_key_is_asked_of_the_portal_once(hub: Relay, portal: Portal, tmp_path: Path) -> None:
    send(hub, tmp_path / "a", "pfa_key_a", 3)
    send(hub, tmp_path / "b", "pfa_key_b", 1)
    assert portal.asked == ["pfa_key_a", "pfa_key_b"]


def test_a_key_that_the_portal_does_not_know_is_refused_and_fills_no_spool(hub: Relay, portal: Portal) -> None:
    portal.known_keys = lambda key: False
    assert [post(hub, b"x")[1]["code"] for _ in range(2)] == ["AUTH_001"] * 2
    assert portal.asked == ["pfa_some_key"]
    assert hub.health()["waiting_batches"] == 0
    assert hub.health()["refused"] == 2


def test_a_known_machine_is_served_while_the_portal_is_away_and_after_a_restart(
    hub: Relay, portal: Portal, tmp_path: Path
) -> None:
    send(hub, tmp_path / "a", "pfa_key_a", 1)
    wait_for(lambda: len(portal.ledger) == 1)
    portal.intercept = lambda *_: page(502)
    hub.stop()
    hub.start()
    send(hub, tmp_path / "b", "pfa_key_a", 1)
    status, content = post(hub, b"x")
    assert (status, content["code"]) == (503, "RELAY_007")


def test_a_key_that_was_revoked_is_asked_again(hub: Relay, portal: Portal, tmp_path: Path) -> None:
    send(hub, tmp_path / "a", "pfa_key_a", 1)
    wait_for(lambda: len(portal.ledger) == 1)
    portal.known_keys = lambda key: False
    answering(portal, "pfa_key_a", refusal(401, "AUTH_001"))
    send(hub, tmp_path / "b", "pfa_key_a", 1)
    wait_for(lambda: hub.health()["known_keys"] == 0)
    assert post(hub, b"x", Authorization="Bearer pfa_key_a")[0] == 401


def test_no_key_stands_in_a_file_but_those_of_waiting_batches(hub: Relay, portal: Portal, tmp_path: Path) -> None:
    send(hub, tmp_path / "a", "pfa_key_a", 1)
    wait_for(lambda: hub.health()["waiting_batches"] == 0)
    kept = (hub.folder / "keys.json").read_text()
    assert "pfa_key_a" not in kept
    assert os.stat(hub.folder / "keys.json").st_mode & 0o777 == 0o600


def test_what_arrives_is_what_was_sent(hub: Relay, portal: Portal, tmp_path: Path) -> None:
    bodies: list[bytes] = []
    original = portal.receive
    portal.receive = lambda headers, body: (bodies.append(body), original(headers, body))[1]  # type: ignore
    send(hub, tmp_path / "a", "pfa_key_a", 1)
    wait_for(lambda: bool(bodies))
    boundary = bodies[0].splitlines()[0][2:].decode()
    assert parse_multipart(f"x; boundary={boundary}", bodies[0])["file"].endswith("Z,pfa_key_a,1\n")
