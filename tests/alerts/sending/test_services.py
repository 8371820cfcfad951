"""Services that apprise knows: sent by a process that reaches nothing inside, however its plugin goes about it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from alerts.sending import services
from alerts.sending.parcels import Outcome, Parcel
from tests.alerts.sending.conftest import LETTER, PNG
from tests.receivers import MailServer, Receiver

GUARDED = """
import socket, sys
from alerts.sending.services_process import Guard
guard = Guard([{allowed}])
sys.addaudithook(guard)
try:
    {attempt}
except PermissionError as error:
    print("refused", guard.refused)
else:
    print("done")
"""


def parcel(address: str) -> Parcel:
    return Parcel("apprise", address, LETTER)


def attempt(line: str, allowed: str = "") -> str:
    code = GUARDED.format(attempt=line, allowed=repr(allowed) if allowed else "")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_message_arrives_with_its_chart(receiver: Receiver) -> None:
    receiver.statuses = [200]
    assert services.send(parcel(receiver.url(scheme="json"))) == Outcome(True)
    body = json.loads(receiver.got[0].body)
    assert (body["title"], body["type"]) == (LETTER.subject, "failure")
    assert "Message id: 0123" in body["message"]
    assert body["attachments"][0]["mimetype"] == "image/png"


def test_mail_through_a_server_of_their_own_arrives(receiver: Receiver, mail_server: MailServer) -> None:
    address = f"mailto://127.0.0.1:{mail_server.port}/?from=a@b.example&to=c@d.example&mode=insecure"
    assert services.send(parcel(address)).sent
    (mail,) = mail_server.mails()
    assert mail["Subject"] == LETTER.subject
    assert any(part.get_content_type() == "image/png" and part.get_content() == PNG for part in mail.walk())


def test_what_the_service_answers_is_not_told(receiver: Receiver) -> None:
    receiver.statuses, receiver.body = [500], b"the inside of the receiver"
    assert services.send(parcel(receiver.url(scheme="json"))) == Outcome(False, "The service answered 500.")


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "2130706433", "[::1]"])
def test_an_address_inside_is_refused(receiver: Receiver, host: str, settings: object) -> None:
    settings.OUTGOING_ALLOW = []  # type: ignore[attr-defined]
    assert "not public" in services.send(parcel(receiver.url(host, scheme="json"))).reason
    assert receiver.got == []


def test_mail_to_a_server_inside_is_refused(mail_server: MailServer) -> None:
    address = f"mailto://127.0.0.1:{mail_server.port}/?from=a@b.example&to=c@d.example&mode=insecure"
    assert "not public" in services.send(parcel(address)).reason
    assert mail_server.got == []


@pytest.mark.parametrize("asked", ["", "?redirect=yes"])
def test_a_redirect_inward_is_not_followed(receiver: Receiver, asked: str) -> None:
    receiver.statuses, receiver.headers = [307], {"Location": receiver.url("127.0.0.1", "/inside")}
    assert services.send(parcel(receiver.url(scheme="json") + asked)).reason == "The service answered 307."
    assert len(receiver.got) == 1


def test_a_service_that_hangs_is_ended(receiver: Receiver) -> None:
    receiver.hangs = True
    outcome = services.send(parcel(receiver.url(scheme="json") + "?rto=60"), seconds=2)
    assert outcome == Outcome(False, "The service did not answer in time.")


def test_a_name_that_leads_inside_at_the_second_look_is_refused() -> None:
    """DNS rebinding: what is connected to is looked at, and not what a name said before."""
    line = "socket.getaddrinfo = lambda *a, **k: [(2, 1, 6, '', ('127.0.0.1', 9))]; socket.create_connection(('x', 9))"
    assert attempt(line) == "refused True"


@pytest.mark.parametrize(
    "line",
    [
        "socket.socket().connect(('127.0.0.1', 9))",
        "socket.socket().connect_ex(('10.0.0.1', 9))",
        "socket.socket().connect(('localhost', 9))",
        "socket.socket(socket.AF_INET6).connect(('::1', 9))",
        "socket.socket(socket.AF_INET6).connect(('::ffff:127.0.0.1', 9, 0, 0))",
        "socket.socket(socket.AF_INET6).connect(('fe80::1%lo', 9))",
        "socket.socket(socket.AF_UNIX).connect('/run/docker.sock')",
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('169.254.169.254', 514))",
        "socket.socket(type=socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('127.0.0.1', 514))",
    ],
)
def test_no_connection_inside_is_made_however_it_is_tried(line: str) -> None:
    assert attempt(line) == "refused True"


@pytest.mark.parametrize(
    "line",
    [
        "open('/etc/passwd')",
        "open('.data/secret_key')",
        "open('core/settings.py')",
        "import os; os.open('/proc/self/environ', os.O_RDONLY)",
        "open(socket.__file__, 'a')",
        "import pathlib; pathlib.Path('/tmp/x').write_text('x')",
        "import subprocess; subprocess.run(['true'])",
        "import os; os.system('true')",
        "import os; os.remove('/tmp/x')",
    ],
)
def test_no_file_is_opened_and_no_program_started(line: str) -> None:
    assert attempt(line) == "refused False"


def test_what_sending_needs_is_allowed(receiver: Receiver) -> None:
    connect = f"socket.create_connection(('127.0.0.1', {receiver.port}))"
    assert attempt(connect, "127.0.0.0/8") == "done"
    assert attempt("import sqlite3, xmlrpc.client") == "done"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "Slack"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "Telegram"),
        ("syslog://", ""),
        ("dbus://", ""),
        ("windows://", ""),
        ("https://example.com/", ""),
        ("nonsense", ""),
    ],
)
def test_a_service_is_known_by_its_address(address: str, name: str) -> None:
    assert services.name_of(address) == name


def test_the_process_knows_nothing_of_the_portal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither its environment, in which DATABASE_URL and SECRET_KEY are, nor the address on its command line."""
    seen: dict[str, object] = {}
    real = subprocess.run

    def run(command: list[str], **options: object) -> object:
        seen.update(command=command, env=options["env"])
        return real(command, **options)  # type: ignore[call-overload]

    monkeypatch.setenv("SECRET_KEY", "a secret")
    monkeypatch.setattr(subprocess, "run", run)
    services.name_of("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ")
    assert "a secret" not in str(seen["env"])
    assert "T1JJ3T3L2" not in str(seen["command"])
