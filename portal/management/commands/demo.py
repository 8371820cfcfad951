"""manage.py demo: the portal with this host measured by the real agent, and a partner of generated data."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand

from core import processes
from core.management.commands import serve
from portal import demo
from portal.demo_sample import Filling

HOST = "127.0.0.1"
PORT_WAIT_SECONDS = 5.0
READY_SECONDS = 60.0
RESTART_SECONDS = 10.0
SAMPLE_SECONDS, UPLOAD_SECONDS = 5, 10
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RefusedError(Exception):
    """Why the demo cannot start, in one sentence."""


class Command(BaseCommand):
    help = "Run the demo in the foreground until Ctrl-C: demo.localhost (this host) and sample.localhost (generated)."

    def handle(self, **options: Any) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, _interrupt)
        try:
            self._run(settings.DATA_DIR)
        except RefusedError as error:
            self.stderr.write(str(error))
            sys.exit(2)
        except KeyboardInterrupt:
            self._say("Stopped. The data is kept; the next start goes on with it.")

    def _run(self, data_dir: Path) -> None:
        port = _port(os.environ.get("PORT", "8000"))
        with _alone(data_dir / "demo.lock"), ExitStack() as stack:
            _wait_for_port(port)
            logs = data_dir / "logs"
            logs.mkdir(mode=0o700, exist_ok=True)
            _log_to(logs / "demo.log")
            self._say("Preparing the database and the pages …")
            contents = demo.prepare(data_dir / "demo.json", port, self._say)
            if not _static_files_are_current():
                call_command("collectstatic", interactive=False, verbosity=0)
            portal = _start_portal(port, logs, stack)
            agent = Agent(contents, data_dir, logs)
            stack.callback(agent.stop)
            _wait_for_portal(port, portal, logs)
            _start_worker(logs, stack)
            self._say(describe(contents, data_dir))
            filling = Filling(self._say)
            filling.start()
            stack.callback(filling.stop)
            stack.callback(_ignore_signals)
            self._watch(portal, agent, logs)

    def _watch(self, portal: subprocess.Popen[bytes], agent: Agent, logs: Path) -> None:
        while portal.poll() is None:
            time.sleep(0.5)
            ended = agent.restarted()
            if ended is not None:
                self._say(f"The agent ended with code {ended} (see {agent.log}); it is started again.")
        raise RefusedError(f"The portal ended with code {portal.returncode}; see {logs / 'portal.log'}.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """A second Ctrl-C must not cut the stopping short."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise RefusedError(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One demo a data folder; the lock ends with the process."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(f"Another demo is running on {path.parent}; stop it, or set DATA_DIR.") from None
        yield


def _wait_for_port(port: int) -> None:
    """The portal of a demo that was killed needs a moment to end; anybody else's port is a refusal."""
    deadline = time.monotonic() + PORT_WAIT_SECONDS
    while not _is_free(port):
        if time.monotonic() > deadline:
            raise RefusedError(f"Port {port} is taken by another program; choose one with PORT=8001 make demo.")
        time.sleep(0.2)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _log_to(path: Path) -> None:
    """This process's log goes to a file; the console is for people."""
    handler = logging.FileHandler(path, mode="w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().handlers = [handler]
    logging.getLogger("perfanalysis.audit").handlers = [handler]


def _static_files_are_current() -> bool:
    """Whether nothing has changed since they were collected, which takes seconds for the compression."""
    manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
    if not manifest.exists():
        return False
    names = json.loads(manifest.read_text())["paths"]
    made = manifest.stat().st_mtime
    sources = [(name, Path(storage.path(name))) for finder in get_finders() for name, storage in finder.list(None)]
    return all(name in names and path.stat().st_ctime < made for name, path in sources)


def _start_portal(port: int, logs: Path, stack: ExitStack) -> subprocess.Popen[bytes]:
    log = stack.enter_context((logs / "portal.log").open("wb"))
    portal = serve.start(HOST, port, 2, 4, environment={**os.environ, "HTTPS": "false"}, output=log)
    stack.callback(processes.stop, portal)
    return portal


def _start_worker(logs: Path, stack: ExitStack) -> None:
    """The periodic duties: partitions, roll-ups, retention."""
    log = stack.enter_context((logs / "worker.log").open("wb"))
    command = [sys.executable, "manage.py", "work"]
    environment = {**os.environ, "HTTPS": "false", "PUBLIC_PORT": os.environ.get("PORT", "8000")}
    worker = processes.start(command, settings.BASE_DIR, environment, log)
    stack.callback(processes.stop, worker)


def _wait_for_portal(port: int, portal: subprocess.Popen[bytes], logs: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not _answers(f"http://{HOST}:{port}/api/v1/status"):
        if portal.poll() is not None or time.monotonic() > deadline:
            raise RefusedError(f"The portal did not start; see {logs / 'portal.log'}.")
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own, http
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Agent:
    """The real agent on this host, started again when it ends."""

    def __init__(self, contents: Mapping[str, Any], data_dir: Path, logs: Path) -> None:
        partner = contents["partners"]["demo"]
        self.log = logs / "agent.log"
        self._environment = _agent_environment(partner, data_dir / "agent") if partner["machines"] else None
        self.log.write_bytes(b"")
        self._child = self._start()
        self._ended_at: float | None = None

    def _start(self) -> subprocess.Popen[bytes] | None:
        if self._environment is None:
            return None
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "agent", "run"]
            return processes.start(command, settings.BASE_DIR, self._environment, log)

    def restarted(self) -> int | None:
        """The exit code of an agent that ended a while ago and was started again just now, else None."""
        if self._child is None or self._child.poll() is None:
            return None
        self._ended_at = self._ended_at or time.monotonic()
        if time.monotonic() < self._ended_at + RESTART_SECONDS:
            return None
        code, self._ended_at = self._child.returncode, None
        self._child = self._start()
        return code

    def stop(self) -> None:
        if self._child:
            processes.stop(self._child)


def _agent_environment(partner: Mapping[str, Any], spool: Path) -> dict[str, str]:
    spool.mkdir(mode=0o700, exist_ok=True)
    machine = partner["machines"][0]
    return {
        **os.environ,
        "PERFAGENT_URL": partner["url"],
        "PERFAGENT_KEY": machine["api_key"],
        "PERFAGENT_MACHINE_ID": machine["machine_id"],
        "PERFAGENT_SPOOL_DIR": str(spool),
        "PERFAGENT_SAMPLE_SECONDS": str(SAMPLE_SECONDS),
        "PERFAGENT_UPLOAD_SECONDS": str(UPLOAD_SECONDS),
    }


def describe(contents: Mapping[str, Any], data_dir: Path) -> str:
    """Addresses, people and passwords, for the console."""
    about = {
        "demo": f"this machine ({demo.this_host()}), measured every {SAMPLE_SECONDS} seconds by the real agent",
        "sample": "twenty machines, thirty days: generated data",
        "operator": "the platform's own partner",
    }
    lines = ["", "PerfAnalysis is running."]
    for name, partner in contents["partners"].items():
        lines += ["", f"  {partner['url']}   {about[name]}"]
        lines += [f"    {role.capitalize():8} {user['email']:26} {user['password']}"
                  for role, user in partner["users"].items()]  # fmt: skip
    lines += ["", f"  API      {contents['partners']['demo']['url']}/api/docs"]
    lines += [f"  Keys     {data_dir / 'demo.json'}", f"  Logs     {data_dir / 'logs'}"]
    return "\n".join([*lines, "", "  Ctrl-C stops everything; the data is kept.", ""])
