"""The process in which apprise sends one message: `python -m alerts.sending.services_process`, JSON in and out.

Its plugins are a hundred services' clients, each with its own way to connect, to read files named in the address or to
start programs. So they run apart, without the portal's settings and database, under an audit hook (PEP 578), which sees
what every library does: a connection goes to an address that may be reached (trap 41), whatever its name said a moment
before, no file outside of Python's own libraries is opened, and no program is started.
"""

from __future__ import annotations

import base64
import json
import logging
import mimetypes
import os
import re
import resource
import signal
import sys
import sysconfig
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apprise
import requests
from apprise.attachment.memory import AttachMemory

from core import addresses

MOST_MEMORY = 1 << 30
LOCAL = frozenset({"blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows"})
"""Services that show something on the machine that sends."""
_ANSWERED = re.compile(r"\berror[=:]\s*(\d{3})\b")
_FORBIDDEN = frozenset(
    {
        "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn",
        "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown",
        "os.truncate",
    }
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")
_CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
NOT_PUBLIC = (
    "The address leads to one that is not public. The operator of this portal can allow its network (OUTGOING_ALLOW)."
)


class Guard:
    """The audit hook: what this process may do. refused: whether a connection was."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = allowed
        self._checking = threading.local()
        paths = sysconfig.get_paths()
        self._readable = tuple({f"{Path(paths[name]).resolve()}/" for name in _LIBRARIES})
        self.refused = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTS:
            self._check_address(arguments[1])
        elif event == "open":
            self._check_file(arguments[0], arguments[2])
        elif event in _FORBIDDEN:
            raise PermissionError("this process only sends")

    def _check_address(self, target: Any) -> None:
        """Connecting takes a literal address here: a name would be looked up again, and may say something else."""
        if target is None or getattr(self._checking, "now", False):
            return
        self._checking.now = True
        try:
            literal = addresses.parse(str(target[0]).partition("%")[0]) if isinstance(target, tuple) else None
            may = literal is not None and addresses.may_reach(literal, self._allowed)
        except ValueError:
            may = False
        finally:
            self._checking.now = False
        if not may:
            self.refused = True
            raise PermissionError("no connection to there")

    def _check_file(self, path: Any, flags: int) -> None:
        """A number is a file that is open already."""
        if isinstance(path, int):
            return
        name = str(Path(os.fsdecode(path)).resolve())
        if flags & _WRITES or not name.startswith(self._readable):
            raise PermissionError("no file is opened here")


class Heard(logging.Handler):
    """The status that a service answered with, and nothing else of what apprise logs."""

    status = ""

    def emit(self, record: logging.LogRecord) -> None:
        if found := _ANSWERED.search(record.getMessage()):
            self.status = found.group(1)


def main() -> None:
    asked = json.load(sys.stdin)
    signal.alarm(int(asked["seconds"]) + 1)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    mimetypes.init()
    guard = Guard(asked["allowed"])
    sys.addaudithook(guard)
    answer = check(asked) if asked["do"] == "check" else send(asked, guard)
    json.dump(answer, sys.stdout)


def check(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The service's name, empty when the address is none."""
    service = _service(asked["address"])
    return {"service": str(service.service_name) if service else ""}


def send(asked: Mapping[str, Any], guard: Guard) -> dict[str, Any]:
    """sent, or the reason in a sentence that repeats nothing of the address or the answer."""
    service = _service(asked["address"])
    if service is None:
        return {"sent": False, "reason": "The address is not one that apprise understands."}
    heard = Heard(logging.WARNING)
    apprise.logger.addHandler(heard)
    png = base64.b64decode(asked["png"])
    attached = AttachMemory(png, name="chart.png", mimetype="image/png")  # type: ignore[no-untyped-call]
    sending = apprise.Apprise(asset=_asset())
    sending.add(service)
    sent = sending.notify(
        title=asked["title"], body=asked["body"], notify_type=asked["type"], body_format=apprise.NotifyFormat.TEXT,
        attach=[attached] if png and service.attachment_support else None,
    )  # fmt: skip
    return {"sent": bool(sent), "reason": "" if sent else _reason(heard, guard)}


def _reason(heard: Heard, guard: Guard) -> str:
    if guard.refused:
        return NOT_PUBLIC
    return f"The service answered {heard.status}." if heard.status else "The service could not be reached, or refused."


def _service(address: str) -> Any:
    """apprise's client for the address, which verifies TLS and follows no redirect whatever the address asks for."""
    if address.partition(":")[0].lower() in LOCAL:
        return None
    service = apprise.Apprise.instantiate(address, asset=_asset())
    if service is not None:
        service.verify_certificate, service.redirects = True, False
    return service


def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(
        app_id="PerfAnalysis", app_desc="PerfAnalysis", app_url="", image_url_mask="", image_url_logo="",
        storage_mode=apprise.PersistentStoreMode.MEMORY, async_mode=False, http_redirects=False,
    )  # fmt: skip


def _no_redirect(session: requests.Session, answer: requests.Response) -> None:
    """A plugin may ask for redirects by itself."""


if __name__ == "__main__":
    requests.Session.get_redirect_target = _no_redirect  # type: ignore[assignment,method-assign]
    main()
