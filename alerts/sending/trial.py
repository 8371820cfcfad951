"""A test message to one channel, sent while somebody waits for it."""

from __future__ import annotations

import secrets

from django.template.loader import render_to_string
from django.utils import timezone

from accounts import audit
from alerts.sending import queue, senders
from alerts.sending.models import Channel
from alerts.sending.parcels import Letter, Outcome
from alerts.sending.payload import VERSION
from alerts.sending.phrases import plain

RATE = "10/m"
"""Tests of a tenant: each is a request to somebody else."""


def send(channel: Channel, portal: str, link: str, *, actor: str, ip: str | None) -> Outcome:
    """portal: what it is called; link: to the channels. What came of it is kept as of any other message."""
    packed = senders.pack(channel, _letter(channel, portal, link))
    outcome = packed if isinstance(packed, Outcome) else senders.send(packed)
    (queue.succeeded if outcome.sent else queue.failed)(channel, outcome, timezone.now())
    status = "success" if outcome.sent else "failed"
    audit.record("channel.tested", user=actor, ip=ip, status=status, channel=channel.name)
    return outcome


def _letter(channel: Channel, portal: str, link: str) -> Letter:
    key = secrets.token_hex(16)
    subject = plain(f"[{portal}] Test of the channel {channel.name}")
    context = {"subject": subject, "channel": channel.name, "portal": portal, "link": link, "key": key}
    payload = {
        "version": VERSION, "id": key, "kind": "test", "severity": "info", "title": subject, "alerts": [],
        "more": 0, "link": link,
    }  # fmt: skip
    return Letter(
        key=key, severity="info", subject=subject, text=render_to_string("sending/test.txt", context),
        html=render_to_string("sending/test.html", context), payload=payload,
    )  # fmt: skip
