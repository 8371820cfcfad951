"""Uploads against a portal that answers well, badly, late, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from agent.answers import Verdict, judge
from agent.backoff import backoff_seconds
from agent.config import Config
from agent.spool import Spool
from agent.transport import Answer
from agent.upload import MAX_PASSED_OVER, Outcome, drain

from tests.agent.model import Portal, Serving, page, parse_multipart, refusal, success

KEY = "pfa_test_secret"


@pytest.fixture
def portal() -> Portal:
    return Portal()


@pytest.fixture
def config(portal: Portal, spool_dir: str) -> Any:
    with Serving(portal) as url:
        yield Config(url=url, key=KEY, spool_dir=spool_dir)


@pytest.fixture
def spool(spool_dir: str) -> Any:
    opened = Spool(spool_dir)
    opened.open()
    yield opened
    opened.close()


def fill(spool: Spool, batches: int, samples: int = 2) -> None:
    for batch in range(batches):
        for number in range(samples):
            spool.append({"system": [f"2026-01-05T12:{batch:02d}:{number:02d}Z,m,1"]})
        spool.seal()


def send(spool: Spool, config: Config) -> Outcome:
    return drain(spool, config, timeout=5)


def test_what_was_acknowledged_is_removed(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 3)
    outcome = send(spool, config)
    assert (outcome.sent_batches, outcome.sent_samples, outcome.failure) == (3, 6, "")
    assert len(portal.rows) == 6
    assert os.listdir(spool.queue) == []


def test_a_request_names_its_key_batch_rows_and_length(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 1)
    (sealed,) = spool.batches()
    send(spool, config)
    (request,) = portal.requests
    assert request["path"] == "/api/v1/performance/upload"
    assert request["Authorization"] == f"Bearer {KEY}"
    assert request["Batch-Id"] == sealed.batch_id
    assert request["Batch-Rows"] == "2"
    assert request["Host"].startswith("test.localhost:")
    assert request["User-Agent"].startswith("perfagent/")
    assert "Transfer-Encoding" not in request


def test_a_drain_uses_one_connection(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 5)
    send(spool, config)
    assert portal.connections == 1


def test_the_newest_batch_goes_before_the_backlog(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 4)
    ids = [sealed.batch_id for sealed in spool.batches()]
    send(spool, config)
    assert [request["Batch-Id"] for request in portal.requests] == [ids[3], ids[0], ids[1], ids[2]]


def test_a_lost_reply_is_answered_from_the_ledger(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 1)
    portal.intercept = lambda batch_id, number: "lose reply" if number == 1 else "portal"
    assert send(spool, config).failure
    assert len(spool.batches()) == 1
    assert send(spool, config).sent_batches == 1
    assert len(portal.requests) == 2
    assert len(portal.rows) == 2


def poisoned(portal: Portal, code: str, *rows: str) -> None:
    """The portal refuses every batch that holds one of those rows."""
    original = portal.receive

    def receive(headers: dict[str, str], body: bytes) -> Any:
        lines = parse_multipart(headers["Content-Type"], body)["file"].splitlines()
        return refusal(400, code) if set(rows) & set(lines) else original(headers, body)

    portal.receive = receive  # type: ignore[method-assign]


@pytest.mark.parametrize("code", range(1, 9))
def test_a_poison_sample_is_set_aside_alone_and_blocks_nothing(
    spool: Spool, config: Config, portal: Portal, code: int
) -> None:
    fill(spool, 3, samples=5)
    poison = "2026-01-05T12:01:03Z,m,1"
    poisoned(portal, f"UPLOAD_{code:03d}", poison)
    outcome = send(spool, config)
    assert (outcome.sent_samples, outcome.refused_batches, outcome.refused_samples) == (14, 1, 1)
    assert len(set(portal.rows)) == len(portal.rows) == 14
    (kept,) = os.listdir(spool.quarantine_folder)
    assert poison in Path(spool.quarantine_folder, kept).read_text()
    assert spool.batches() == []


def test_a_batch_that_the_portal_has_a_bug_with_is_kept_and_blocks_no_other(
    spool: Spool, config: Config, portal: Portal
) -> None:
    fill(spool, 5)
    bad = spool.batches()[1].batch_id
    portal.intercept = lambda batch_id, _: refusal(500, "SERVER_001") if batch_id == bad else "portal"
    outcome = send(spool, config)
    assert outcome.sent_batches == 4
    assert outcome.code == "SERVER_001"
    assert [sealed.batch_id for sealed in spool.batches()] == [bad]


def test_a_portal_with_a_bug_in_every_batch_is_left_alone(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 9)
    portal.intercept = lambda *_: refusal(500, "SERVER_001")
    send(spool, config)
    assert len(portal.requests) == MAX_PASSED_OVER


def test_notes_go_with_the_first_batch_that_is_stored(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 3)
    notes = {"events": '[{"kind": "agent_stopped"}]', "inventory": '{"kernel": "6.1"}'}
    outcome = drain(spool, config, timeout=5, notes=notes)
    assert outcome.noted
    assert portal.notes == [{"events": [{"kind": "agent_stopped"}], "inventory": {"kernel": "6.1"}}, {}, {}]


def test_notes_that_were_not_stored_are_not_taken_for_told(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 1)
    portal.intercept = lambda *_: page(502)
    assert not drain(spool, config, timeout=5, notes={"events": "[]"}).noted


@pytest.mark.parametrize(
    "reply",
    [
        *(page(200), page(403), page(404), page(413), page(502), (200, {}, b""), (200, {}, b"[]"), (204, {}, b"")),
        *((301, {"Location": "http://127.0.0.1:1/"}, b""), (200, {}, b'{"status":"success"}')),
        *(refusal(401, "AUTH_001"), refusal(403, "TENANT_002"), refusal(429, "RATE_001"), refusal(503, "SERVER_002")),
        *(refusal(500, "UPLOAD_003"), refusal(400, "OTHER_001"), (400, {}, b'{"code":"UPLOAD_003"}')),
        success(201, "f" * 32, 2),
    ],
)
def test_every_other_answer_keeps_the_batch(spool: Spool, config: Config, portal: Portal, reply: Any) -> None:
    fill(spool, 2)
    portal.intercept = lambda *_: reply
    outcome = send(spool, config)
    assert outcome.failure
    assert (outcome.sent_batches, outcome.refused_batches) == (0, 0)
    assert len(spool.batches()) == 2
    portal.intercept = lambda *_: "portal"
    assert send(spool, config).sent_batches == 2


def test_an_answer_with_another_row_count_is_no_acknowledgement() -> None:
    status, headers, body = success(201, "a" * 32, 4)
    assert judge(Answer(status, headers, body), "a" * 32, 5).verdict is Verdict.KEPT


def test_the_202_of_a_relay_is_an_acknowledgement() -> None:
    body = b'{"status":"accepted","batch_id":"b","records_processed":5}'
    assert judge(Answer(202, {}, body), "b", 5).verdict is Verdict.STORED


def test_a_portal_that_is_away_keeps_everything(spool: Spool, spool_dir: str) -> None:
    fill(spool, 2)
    outcome = send(spool, Config(url="http://localhost:1", key=KEY, spool_dir=spool_dir))
    assert "could not be reached" in outcome.failure
    assert KEY not in outcome.failure
    assert len(spool.batches()) == 2


def test_a_batch_that_is_too_large_goes_in_pieces(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 1, samples=5)
    original = spool.batches()[0].batch_id
    portal.intercept = lambda batch_id, _: refusal(413, "UPLOAD_004") if batch_id == original else "portal"
    outcome = send(spool, config)
    assert (outcome.split_batches, outcome.sent_samples, outcome.sent_batches) == (1, 5, 2)
    assert len(set(portal.rows)) == len(portal.rows) == 5


def test_one_sample_that_is_too_large_is_set_aside(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 1, samples=2)
    portal.intercept = lambda *_: refusal(413, "UPLOAD_004")
    assert send(spool, config).refused_batches == 2
    assert spool.batches() == []


def test_a_corrupt_batch_among_others_is_set_aside(spool: Spool, config: Config, portal: Portal) -> None:
    fill(spool, 3)
    Path(spool.batches()[1].path).write_bytes(b"rubbish")
    outcome = send(spool, config)
    assert (outcome.sent_batches, outcome.refused_batches) == (2, 1)
    assert len(os.listdir(spool.quarantine_folder)) == 1


def test_retry_after_is_honoured_on_top_of_full_jitter() -> None:
    def highest(low: float, high: float) -> float:
        return high

    answer = Answer(429, {"retry-after": "40"}, refusal(429, "RATE_001")[2])
    assert judge(answer, "a", 1).retry_after == 40
    assert backoff_seconds(1, 40.0, highest) == 42
    assert backoff_seconds(30, None, highest) == 300
    assert backoff_seconds(30, None, min) == 1
