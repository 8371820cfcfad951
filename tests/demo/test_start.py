"""manage.py demo as a process: a whole first start, kill -9, and what refuses to start."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.portal import RunningPortal

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Outside pytest's own folder, which is closed to the user that the database runs as."""
    folder = Path(tempfile.mkdtemp(prefix="perfanalysis-demo-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(data_dir: Path, port: int | str) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("HTTPS", "SECRET_KEY")}
    environment = {**inherited, "DJANGO_SETTINGS_MODULE": "core.settings", "DATABASE_URL": "",
                   "DATA_DIR": str(data_dir), "PORT": str(port)}  # fmt: skip
    command = [sys.executable, "manage.py", "demo"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)  # fmt: skip


def wait_for(happened: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.2)


def descendants(pid: int) -> set[int]:
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        found.setdefault(parent, []).append(int(folder.name))
    children = set(found.get(pid, []))
    return children | {below for child in children for below in descendants(child)}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def portal_of(data_dir: Path, port: int) -> RunningPortal:
    password = json.loads((data_dir / "demo.json").read_text())["partners"]["demo"]["users"]["viewer"]["password"]
    return RunningPortal(port, password, {}, "")


@pytest.mark.live
def test_a_first_start_shows_this_host_and_kill_9_leaves_nothing_behind(data_dir: Path) -> None:
    port = free_port()
    process = start(data_dir, port)
    assert process.stdout
    try:
        lines = iter(process.stdout.readline, "")
        assert any("PerfAnalysis is running." in line for line in lines), process.stderr and process.stderr.read()
        portal = portal_of(data_dir, port)
        cookie = portal.sign_in("demo", "viewer")

        def has_uploaded() -> bool:
            listed = portal.request("demo", "GET", "/api/v1/collectors", headers={"Cookie": cookie}).body
            return b'"live"' in listed

        wait_for(has_uploaded, 60, "the first upload of this host")
        started = descendants(process.pid)
        assert len(started) >= 5  # PostgreSQL, granian and its workers, the agent, the worker
        assert any(b"\0work\0" in command_line(pid) for pid in started)
        process.send_signal(signal.SIGKILL)
        wait_for(lambda: not any(map(is_alive, started)), 30, "the end of every process that was started")
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_is_taken_is_one_sentence_and_exit_code_2(data_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(data_dir, port)
        _, error = process.communicate(timeout=60)
    sentence = f"Port {port} is taken by another program; choose one with PORT=8001 make demo.\n"
    assert (process.returncode, error) == (2, sentence)


def test_a_port_that_is_no_number_is_one_sentence_and_exit_code_2(data_dir: Path) -> None:
    process = start(data_dir, "http")
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (2, "PORT must be a number from 1 to 65535, not 'http'.\n")
