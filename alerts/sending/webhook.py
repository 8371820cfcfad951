"""The signed JSON webhook, as the Standard Webhooks specification has it (standardwebhooks.com).

Signed is `<id>.<timestamp>.<body>` with HMAC-SHA256; `docs/notifications.md` shows how a receiver verifies it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time

import requests
from django.conf import settings

from alerts.sending.parcels import Outcome, Parcel
from core import outgoing

PREFIX = "whsec_"
MOST_WAIT = 3600


def new_secret() -> str:
    """256 bits, in the form that libraries for Standard Webhooks take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, key: str, timestamp: int, body: bytes) -> str:
    signed = f"{key}.{timestamp}.".encode() + body
    digest = hmac.new(base64.b64decode(secret.removeprefix(PREFIX)), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def send(parcel: Parcel, limits: outgoing.Limits | None = None) -> Outcome:
    """Taken is what the receiver answers with 2xx; what else it says is neither kept nor shown."""
    key, now = parcel.letter.key, int(time.time())
    body = json.dumps(parcel.letter.payload, ensure_ascii=False, allow_nan=False).encode()
    headers = {
        "Content-Type": "application/json", "User-Agent": f"PerfAnalysis/{settings.VERSION}", "Webhook-Id": key,
        "Webhook-Timestamp": str(now), "Webhook-Signature": signature(parcel.secret, key, now, body),
    }  # fmt: skip
    try:
        answer = outgoing.session(limits).post(parcel.address, data=body, headers=headers)
    except requests.RequestException as error:
        return Outcome(False, outgoing.reason(error))
    if 200 <= answer.status_code < 300:
        return Outcome(True)
    redirect = " Redirects are not followed." if answer.is_redirect else ""
    return Outcome(False, f"The receiver answered {answer.status_code}.{redirect}", _asked_wait(answer))


def _asked_wait(answer: requests.Response) -> int:
    text = answer.headers.get("Retry-After", "")
    return min(int(text), MOST_WAIT) if text.isascii() and text.isdigit() and len(text) < 7 else 0
