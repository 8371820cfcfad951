"""The signed webhook: what a receiver gets and can verify, and what it may answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from alerts.sending import webhook
from alerts.sending.parcels import Outcome, Parcel
from core.outgoing import Limits
from tests.alerts.sending.conftest import LETTER
from tests.receivers import Receiver

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def parcel(receiver: Receiver, address: str = "") -> Parcel:
    return Parcel("webhook", address or receiver.url(), LETTER, SECRET)


def test_a_receiver_can_verify_what_it_gets(receiver: Receiver) -> None:
    assert webhook.send(parcel(receiver)) == Outcome(True)
    got = receiver.got[0]
    assert got.headers["webhook-id"] == LETTER.key
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert got.headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(got.body) == LETTER.payload
    assert got.headers["content-type"] == "application/json"


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of standardwebhooks.com's reference libraries."""
    signature = webhook.signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_another_secret_body_or_time_signs_otherwise() -> None:
    base = webhook.signature(SECRET, "id", 1, b"body")
    others = {
        webhook.signature(webhook.new_secret(), "id", 1, b"body"), webhook.signature(SECRET, "id", 2, b"body"),
        webhook.signature(SECRET, "di", 1, b"body"), webhook.signature(SECRET, "id", 1, b"bodY"),
    }  # fmt: skip
    assert base not in others
    assert len(others) == 4


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_taken(receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    assert webhook.send(parcel(receiver)).sent


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
def test_anything_else_is_not_and_its_body_is_not_told(receiver: Receiver, status: int) -> None:
    receiver.statuses, receiver.body = [status], b"the inside of the receiver"
    assert webhook.send(parcel(receiver)) == Outcome(False, f"The receiver answered {status}.")


def test_the_wait_that_a_receiver_asks_for_is_kept_within_bounds(receiver: Receiver) -> None:
    receiver.statuses = [503]
    for asked, kept in (("120", 120), ("999999", 3600), ("soon", 0), ("-5", 0), ("٣", 0), ("1" * 5000, 0)):
        receiver.headers = {"Retry-After": asked} if asked.isascii() else {}
        assert webhook.send(parcel(receiver)).retry_after == kept


def test_a_redirect_inward_is_not_followed(receiver: Receiver) -> None:
    receiver.statuses, receiver.headers = [307], {"Location": "http://127.0.0.3:22/"}
    outcome = webhook.send(parcel(receiver))
    assert outcome.reason == "The receiver answered 307. Redirects are not followed."
    assert len(receiver.got) == 1


def test_a_receiver_that_hangs_is_given_up(receiver: Receiver) -> None:
    receiver.hangs = True
    assert webhook.send(parcel(receiver), Limits(read=0.2)).reason == "The receiver did not answer in time."


def test_an_address_inside_is_refused(receiver: Receiver) -> None:
    outcome = webhook.send(parcel(receiver, receiver.url("127.0.0.2")))
    assert "not public" in outcome.reason
    assert receiver.got == []


def test_neither_address_nor_secret_is_in_what_is_logged_of_a_parcel(receiver: Receiver) -> None:
    shown = repr(replace(parcel(receiver), address="https://hook.example/token"))
    assert "hook.example" not in shown
    assert SECRET not in shown


def test_the_snippet_of_the_docs_verifies_what_is_sent(receiver: Receiver) -> None:
    page = (Path(settings.BASE_DIR) / "docs" / "notifications.md").read_text()
    snippet = page.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(snippet, names)
    webhook.send(parcel(receiver))
    got = receiver.got[0]
    assert names["is_genuine"](SECRET, got.headers, got.body)
    assert not names["is_genuine"](SECRET, got.headers, got.body + b" ")
    assert not names["is_genuine"](webhook.new_secret(), got.headers, got.body)
    old = {**got.headers, "webhook-timestamp": str(int(got.headers["webhook-timestamp"]) - 301)}
    assert not names["is_genuine"](SECRET, old, got.body)
