"""Uploads to a real server: what only the wire can do to them."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import uuid
from datetime import timedelta

from tests import samples
from tests.live.portal import Answer, RunningPortal

PATH = "/api/v1/performance/upload"


def series_count(portal: RunningPortal, batch: bytes) -> int:
    """How many of the batch's rows the portal holds, by uploading it again under a new id."""
    answer = portal.upload("alpha", batch, Batch_Id=uuid.uuid4().hex).json()
    return int(answer["duplicates"])


def fresh(count: int = 5) -> bytes:
    """Samples at instants that no other test uses."""
    start = samples.recent(48) + timedelta(microseconds=uuid.uuid4().int % 10**9)
    return samples.csv(start, [1.0] * count)


def raw(portal: RunningPortal, head: str, *pieces: bytes, breaks_off: bool = False) -> bytes:
    """Bytes sent as they are; returns the whole answer. breaks_off: the sending side is closed before its time."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=20) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode())
        for piece in pieces:
            wire.sendall(piece)
        if breaks_off:
            wire.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := wire.recv(65536):
            answer += piece
    return answer


def head(portal: RunningPortal, *lines: str) -> str:
    given = [f"POST {PATH} HTTP/1.1", "Host: alpha.localhost", f"Authorization: Bearer {portal.keys['alpha']}"]
    return "\n".join([*given, "Connection: close", *lines, "", ""])


def code(answer: bytes) -> str:
    return str(json.loads(answer.split(b"\r\n\r\n", 1)[1])["code"])


def test_a_chunked_upload_is_refused_and_not_taken_for_empty(portal: RunningPortal) -> None:
    """Trap 12."""
    batch = fresh()
    chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(batch), batch)
    answer = raw(portal, head(portal, "Content-Type: text/csv", "Transfer-Encoding: chunked"), chunk)
    assert answer.startswith(b"HTTP/1.1 400")
    assert code(answer) == "UPLOAD_008"
    assert series_count(portal, batch) == 0


def test_an_upload_that_breaks_off_stores_nothing(portal: RunningPortal) -> None:
    batch = fresh()
    length = f"Content-Length: {len(batch) + 500}"
    raw(portal, head(portal, "Content-Type: text/csv", length), batch, breaks_off=True)
    assert series_count(portal, batch) == 0


def test_a_form_that_breaks_off_inside_its_file_stores_nothing(portal: RunningPortal) -> None:
    batch = fresh()
    part = b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n' + batch
    lines = ("Content-Type: multipart/form-data; boundary=xx", f"Content-Length: {len(part) + 500}")
    raw(portal, head(portal, *lines), part, breaks_off=True)
    assert series_count(portal, batch) == 0


def test_three_at_once_of_the_same_batch_are_stored_once(portal: RunningPortal) -> None:
    """Trap 17."""
    for _ in range(5):
        batch, batch_id = fresh(50), uuid.uuid4().hex
        answers = together(portal, [(batch, batch_id)] * 3)
        assert sorted(answer.status for answer in answers) == [200, 200, 201]
        assert len({answer.body for answer in answers}) == 1
        assert series_count(portal, batch) == 50


def test_the_same_samples_under_three_ids_at_once_are_stored_once(portal: RunningPortal) -> None:
    batch = fresh(200)
    answers = together(portal, [(batch, uuid.uuid4().hex) for _ in range(3)])
    assert [answer.status for answer in answers] == [201, 201, 201]
    assert sorted(answer.json()["duplicates"] for answer in answers) == [0, 200, 200]


def test_overlapping_batches_in_opposite_order_do_not_deadlock(portal: RunningPortal) -> None:
    lines = fresh(300).decode().splitlines()
    forward = "\n".join(lines).encode() + b"\n"
    backward = "\n".join([lines[0], *reversed(lines[1:])]).encode() + b"\n"
    pairs = [(data, uuid.uuid4().hex) for data in (forward, backward, forward, backward)]
    answers = together(portal, pairs)
    assert {answer.status for answer in answers} == {201}
    assert series_count(portal, forward) == 300


def together(portal: RunningPortal, batches: list[tuple[bytes, str]]) -> list[Answer]:
    answers: list[Answer] = []
    start = threading.Barrier(len(batches))

    def send(batch: bytes, batch_id: str) -> None:
        start.wait()
        answers.append(portal.upload("alpha", batch, Batch_Id=batch_id))

    threads = [threading.Thread(target=send, args=pair) for pair in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_connection_serves_several_uploads(portal: RunningPortal) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=20)
    headers = {"Host": "alpha.localhost", "Authorization": f"Bearer {portal.keys['alpha']}", "Content-Type": "text/csv"}
    statuses = []
    for body in (fresh(), b"broken", fresh()):
        connection.request("POST", PATH, body, headers)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    connection.close()
    assert statuses == [201, 400, 201]


def test_a_packed_megabyte_of_zeros_is_refused(portal: RunningPortal) -> None:
    """Trap 13: 200 MB unpacked."""
    bomb = gzip.compress(b"0" * 200_000_000, 1)
    answer = portal.upload("alpha", bomb, Content_Encoding="gzip")
    assert (answer.status, answer.json()["code"]) == (413, "UPLOAD_004")


def test_the_key_of_one_partner_is_worth_nothing_at_the_other(portal: RunningPortal) -> None:
    headers = {"Authorization": f"Bearer {portal.keys['alpha']}", "Content-Type": "text/csv"}
    answer = portal.request("beta", "POST", PATH, fresh(), headers)
    assert (answer.status, answer.json()["code"]) == (401, "AUTH_001")
