"""A webhook's receiver and a mail server on this machine, which the portal may reach, and a letter."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from alerts.sending.parcels import Letter
from tests.receivers import MailServer, Receiver, mailing, receiving

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
LETTER = Letter(
    key="0123456789abcdef" * 2, severity="critical", subject="[Alpha] Critical: CPU – server1",
    text="CPU was 97 %.\nMessage id: 0123", html="<p>CPU was 97 %.</p>", payload={"version": 1, "alerts": []}, png=PNG,
    thread="a" * 16,
)  # fmt: skip


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.OUTGOING_ALLOW = ["127.0.0.1/32"]
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    with mailing() as server:
        settings.SENDS_MAIL, settings.EMAIL_HOST, settings.EMAIL_PORT = True, "127.0.0.1", server.port
        settings.DEFAULT_FROM_EMAIL = "PerfAnalysis <portal@perf.example>"
        yield server
