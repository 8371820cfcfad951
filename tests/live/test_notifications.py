"""Two real workers with real threads and connections: each message arrives once, and one that hangs holds up nobody."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.live.portal import ROOT, RunningPortal
from tests.receivers import Receiver, receiving

PATIENCE_SECONDS = 90
TELL = """
import django; django.setup()
from datetime import timedelta
from django.utils import timezone
from alerts.models import Alert, Message, Rule
from alerts.sending import channels
from core.tenancy import schema_context
with schema_context("alpha"):
    now = timezone.now()
    for name, address in {channels!r}.items():
        channels.create(name, "webhook", address, actor="test", ip=None)
    rule = Rule.objects.create(name="hot", kind="event", quantity="reboot", window_seconds=86400)
    for number in range({count}):
        alert = Alert.objects.create(
            rule=rule, rule_name="hot", severity="critical", target=f"cause:{{number}}", cause="many", state="firing",
            since=now, fired_at=now, told_at=now, evaluated_at=now + timedelta(days=1),
        )
        message = Message.objects.create(kind="firing", group=f"x{{number}}", severity="critical", created_at=now,
                                         due_at=now)
        message.alerts.add(alert)
"""
STATES = """
import django, json; django.setup()
from alerts.sending.models import Delivery
from core.tenancy import schema_context
with schema_context("alpha"):
    print(json.dumps(list(Delivery.objects.values_list("channel__name", "state", "attempts", "reason"))))
"""


def environment(portal: RunningPortal, folder: Path) -> dict[str, str]:
    return {
        **os.environ, "DATABASE_URL": f"postgres://postgres@/{quote(portal.socket)}/postgres", "DATA_DIR": str(folder),
        "HTTPS": "false", "OUTGOING_ALLOW": "127.0.0.0/8", "DJANGO_SETTINGS_MODULE": "core.settings",
    }  # fmt: skip


def run(code: str, given: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=given, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def working(given: dict[str, str], log: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    with log.open("wb") as output:
        started = [
            subprocess.Popen([sys.executable, "manage.py", "work"], cwd=ROOT, env=given, stdout=output, stderr=output)
            for _ in range(2)
        ]
        try:
            yield started
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(60)


def waited_for(receiver: Receiver, count: int) -> bool:
    end = time.monotonic() + PATIENCE_SECONDS
    while len(receiver.got) < count and time.monotonic() < end:
        time.sleep(0.2)
    return len(receiver.got) >= count


@pytest.mark.live
def test_two_workers_send_each_message_once_while_one_receiver_hangs(portal: RunningPortal, tmp_path: Path) -> None:
    given, log = environment(portal, tmp_path / "data"), tmp_path / "work.log"
    with receiving() as quick, receiving() as slow:
        slow.hangs = True
        run(TELL.format(channels={"a slow one": slow.url(), "quick": quick.url()}, count=7), given)
        with working(given, log):
            assert waited_for(quick, 7), log.read_text()
            assert waited_for(slow, 1), log.read_text()
            slow.released.set()  # a worker that is told to end waits for what it is sending
        told = [json.loads(got.body)["id"] for got in quick.got]
        assert len(told) == len(set(told)) == 7
        assert len(slow.got) <= 2  # one at a time
        rows = json.loads(run(STATES, given))
    assert [state for name, state, _, _ in rows if name == "quick"] == ["sent"] * 7
    assert {state for name, state, _, _ in rows if name == "a slow one"} == {"waiting"}
    assert "Traceback" not in log.read_text()
