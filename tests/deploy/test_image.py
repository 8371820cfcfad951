"""Dockerfile, .dockerignore, the health check and the agent's unit."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import pytest

from deploy import healthy

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNIT = (ROOT / "deploy/perfagent.service").read_text()


def test_dependencies_are_installed_by_hash_in_the_first_stage_only() -> None:
    first, last = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    installs = [line for line in first.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line for line in installs)
    assert "pip install" not in last
    assert "apt-get" not in DOCKERFILE


def test_the_image_runs_as_its_own_user_and_is_watched() -> None:
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert last.index("\nUSER perfanalysis") < last.index("\nCMD ")
    assert "/api/v1/status" in last[last.index("HEALTHCHECK") :]


def test_the_image_has_every_package_of_the_project_and_nothing_private() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    taken = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = set(project["tool"]["importlinter"]["root_packages"])
    assert packages | {"templates", "static", "manage.py", "requirements.lock", "deploy"} <= taken
    assert not taken & {".env", ".data", ".git", "tests"}


def test_a_health_check_is_as_good_as_the_answer() -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/good" else 503)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        assert healthy.answers(f"{base}/good")
        assert not healthy.answers(f"{base}/bad")
        server.shutdown()
    assert not healthy.answers(f"{base}/good")


def test_a_health_check_of_a_file_is_its_age(tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    command = [sys.executable, str(ROOT / "deploy/healthy.py"), str(alive), "60"]
    assert subprocess.run(command, check=False).returncode == 1
    alive.touch()
    assert subprocess.run(command, check=False).returncode == 0
    os.utime(alive, (0, time.time() - 61))
    assert subprocess.run(command, check=False).returncode == 1


@pytest.mark.parametrize(
    "setting",
    ["DynamicUser=yes", "StateDirectory=perfagent", "ProtectSystem=strict", "NoNewPrivileges=yes",
     "CapabilityBoundingSet=", "LoadCredential=agent.conf:/etc/perfagent/agent.conf"],
)  # fmt: skip
def test_the_agents_unit_is_closed_off(setting: str) -> None:
    assert setting in UNIT.splitlines()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_agents_unit(tmp_path: Path) -> None:
    unit = tmp_path / "perfagent.service"
    unit.write_text(UNIT)
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert "perfagent.service:" not in done.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_agents_unit_is_exposed_as_little_as_the_docs_say(tmp_path: Path) -> None:
    unit = tmp_path / "perfagent.service"
    unit.write_text(UNIT)
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=17", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
