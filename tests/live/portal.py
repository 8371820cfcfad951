"""What tests know of the real portal: its addresses, keys and people, and a plain HTTP client."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class RunningPortal:
    """A portal on a loopback port; `keys` are the bearer keys of each partner's `server1`, `socket` its database's."""

    port: int
    password: str
    keys: dict[str, str]
    socket: str

    def url(self, partner: str) -> str:
        return f"http://{partner}.localhost:{self.port}"

    def request(
        self, partner: str, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Host": f"{partner}.localhost:{self.port}", **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.msg, answer.read())

    def upload(self, partner: str, body: bytes, **headers: str) -> Answer:
        given = {"Authorization": f"Bearer {self.keys[partner]}", "Content-Type": "text/csv"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request(partner, "POST", "/api/v1/performance/upload", body, {**given, **named})

    def sign_in(self, partner: str, role: str) -> str:
        """The value of a Cookie header for that person, got through the sign-in page."""
        page = self.request(partner, "GET", "/sign-in")
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.body)
        assert token, page.body[:500]
        csrf = _cookies(page)["csrftoken"]
        fields = {
            "csrfmiddlewaretoken": token[1].decode(), "email": f"{role}@{partner}.example",
            "password": self.password,
        }  # fmt: skip
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"csrftoken={csrf}"}
        answer = self.request(partner, "POST", "/sign-in", urllib.parse.urlencode(fields).encode(), headers)
        assert answer.status == 302, answer.body[:2000]
        return "; ".join(f"{name}={value}" for name, value in _cookies(answer).items())


def _cookies(answer: Answer) -> dict[str, str]:
    found = re.findall(r"(sessionid|csrftoken)=([^;]+)", " ".join(answer.headers.get_all("Set-Cookie") or []))
    return dict(found)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_portal(workers: int = 1) -> Iterator[RunningPortal]:
    """A portal with a data folder of its own; it ends, by its process id, with the block."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="perfanalysis-live-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        limits = dict.fromkeys(("REQUEST_RATE", "UPLOAD_RATE", "SIGN_IN_RATE"), "100000/m")
        environment = {**os.environ, **limits, "DATA_DIR": folder, "HTTPS": "false", "DATABASE_URL": ""}
        environment["OUTGOING_ALLOW"] = "127.0.0.0/8"  # where the tests' receivers and identity providers are
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        command = [sys.executable, "-m", "tests.live.portal_process", str(port), str(workers)]
        log = Path(folder, "portal.log")
        with log.open("wb") as errors:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, b"")  # granian may say something first
            line = next((line for line in lines if line.startswith(b'{"password"')), b"")
            assert line, log.read_text()
            yield RunningPortal(port, **json.loads(line))
        finally:
            process.terminate()
            process.wait(30)
