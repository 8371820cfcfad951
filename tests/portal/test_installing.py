"""`/install.sh`: what the portal fills in, and the script itself against a portal of a few lines."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role
from agent.build import build
from portal.installing import fill
from tests.cast import Cast

KEY = "pfa_0123456789abcdef_0123456789012345678901234567890123456789012"
TOKEN = "pfe_0123456789abcdef_0123456789012345678901234567890123456789012"
UNIT = "[Service]\nExecStart=/usr/bin/python3 /usr/local/lib/perfagent/perfagent.pyz run\n"


@pytest.fixture
def built(settings: Any, tmp_path: Path) -> Path:
    """A base folder with an agent of a few bytes."""
    settings.BASE_DIR = tmp_path
    for name, text in (("dist/perfagent.pyz", "PK agent"), ("deploy/perfagent.service", UNIT)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_script_names_the_portal_and_the_checksum(alpha: Cast, built: Path) -> None:
    answer = alpha.client().get("/install.sh")
    text = answer.content.decode()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "\nPORTAL=http://alpha.localhost\n" in text
    assert hashlib.sha256(b"PK agent").hexdigest() in text
    assert UNIT in text


def test_without_an_agent_there_is_no_script(alpha: Cast, settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    answer = alpha.client().get("/install.sh")
    assert answer.status_code == 404
    assert "make agent" in answer.content.decode()


@pytest.mark.parametrize(
    "host",
    [
        "alpha.localhost;reboot", "alpha.localhost/$(reboot)", "alpha.localhost`id`", "alpha.localhost'",
        "$(id).localhost", "alpha.localhost:80;id", "alpha.localhost\nid", "evil.example", "alpha.localhost:99999999",
    ],
)  # fmt: skip
def test_a_hostile_host_gets_no_script(host: str, alpha: Cast, built: Path) -> None:
    answer = Client(headers={"host": host}).get("/install.sh")
    assert answer.status_code in (400, 404)
    assert b"#!/bin/sh" not in answer.content


def test_the_line_to_paste_comes_first(alpha: Cast) -> None:
    text = alpha.client(Role.ADMIN).post("/add/token", {"hours": "2", "uses": "1"}).content.decode()
    line = text.index("curl -fsSL http://alpha.localhost/install.sh | sudo sh -s -- pfe_")
    assert line < text.index("python3 perfagent.pyz enrol")


class Portal(BaseHTTPRequestHandler):
    """Serves the script and the agent, and registers whoever comes with the token."""

    agent = b""

    def do_GET(self) -> None:
        self._answer(200, self.agent if self.path == "/download/perfagent.pyz" else b"")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self._answer(401, b'{"status": "error", "code": "AUTH_001", "error": "The token is not valid."}')
            return
        answer = {"status": "success", "machine_id": asked["machine_id"], "api_key": KEY}
        self._answer(201, json.dumps(answer).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class Installing:
    """The script of one portal, run with dash where there is one, into a folder."""

    def __init__(self, url: str, checksum: str, folder: Path) -> None:
        self.url, self.prefix = url, folder / "root"
        self.script = fill(url, checksum, UNIT)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        shell = shutil.which("dash") or "sh"
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PERFAGENT_PREFIX": str(self.prefix),
            "PERFAGENT_MACHINE_ID": "web-01",
        }
        return subprocess.run(
            [shell, "-s", "--", *arguments], input=self.script, env=environment, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip

    @property
    def config(self) -> Path:
        return self.prefix / "etc/perfagent/agent.conf"


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    target = tmp_path_factory.mktemp("dist") / "perfagent.pyz"
    build(target)
    return target.read_bytes()


@pytest.fixture
def installing(agent: bytes, tmp_path: Path) -> Iterator[Installing]:
    handler = type("Serving", (Portal,), {"agent": agent})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    yield Installing(url, hashlib.sha256(agent).hexdigest(), tmp_path)
    server.shutdown()
    server.server_close()


def test_it_installs_registers_and_says_where_the_machine_is(installing: Installing) -> None:
    done = installing.run(TOKEN)
    assert done.returncode == 0, done.stderr
    assert f"Its page: {installing.url}/machines/web-01" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert installing.config.stat().st_mode & 0o777 == 0o600
    assert f"key = {KEY}" in installing.config.read_text()
    command = [str(installing.prefix / "usr/local/bin/perfagent"), "--version"]
    assert subprocess.run(command, capture_output=True, check=True).stdout.startswith(b"perfagent ")


def test_a_second_run_without_a_token_keeps_the_key(installing: Installing) -> None:
    installing.run(TOKEN)
    before = installing.config.read_text()
    done = installing.run()
    assert done.returncode == 0, done.stderr
    assert "Registered already" in done.stdout
    assert installing.config.read_text() == before


def test_uninstall_leaves_nothing(installing: Installing) -> None:
    installing.run(TOKEN)
    (installing.prefix / "var/lib/perfagent").mkdir(parents=True)
    assert installing.run("--uninstall").returncode == 0
    assert [path for path in installing.prefix.rglob("*") if "perfagent" in path.name] == []


def test_a_wrong_checksum_installs_nothing(installing: Installing) -> None:
    installing.script = installing.script.replace("SHA256='", "SHA256='0")
    done = installing.run(TOKEN)
    assert done.returncode == 1
    assert "checksum" in done.stderr
    assert [path for path in installing.prefix.rglob("*") if path.is_file()] == []


def test_a_refused_token_is_said(installing: Installing) -> None:
    done = installing.run("pfe_wrong_token")
    assert done.returncode == 1
    assert "AUTH_001" in done.stderr
    assert not installing.config.exists()


@pytest.mark.parametrize("arguments", [(), ("--what",), ("a", "b")])
def test_wrong_usage_is_one_sentence(arguments: tuple[str, ...], installing: Installing) -> None:
    done = installing.run(*arguments)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert not installing.prefix.exists()


def test_half_a_download_does_nothing(installing: Installing) -> None:
    installing.script = installing.script[: installing.script.index("uninstall() {")]
    installing.run(TOKEN)
    assert not installing.prefix.exists()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_shellcheck_finds_nothing(installing: Installing, tmp_path: Path) -> None:
    path = tmp_path / "install.sh"
    path.write_text(installing.script)
    done = subprocess.run(["shellcheck", "-s", "dash", path], capture_output=True, text=True, check=False)
    assert done.stdout == ""
