"""The history of sysstat: where its files lie, `sadf` that reads them, and its JSON record by record."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import IO, Any, Optional

from core.batch import format_timestamp

STDIN = "-"
FOLDERS = ("/var/log/sysstat", "/var/log/sa")
_HISTORY = re.compile(r"sa(\d{2}|\d{8})")
_WANTED = (
    ["-u", "ALL", "-P", "ALL", "-w", "-W", "-b", "-r", "ALL", "-S", "-q", "ALL", "-d", "-n", "DEV,EDEV"],
    ["-u", "ALL", "-P", "ALL", "-w", "-W", "-b", "-r", "-S", "-q", "-d", "-n", "DEV,EDEV"],
    ["-A"],
)
"""Options of sar from the newest version to the oldest; what a version does not know, it refuses at once."""
_READ_CHARACTERS = 1 << 16
_MAX_RECORD_CHARACTERS = 16 << 20
_LONGEST_WORD = 12
"""That a piece may end within: `: -nan`."""
_NOT_A_NUMBER = re.compile(r":\s*-?(?:nan|inf)\b", re.IGNORECASE)


class SarError(Exception):
    """History that cannot be read; the sentence says which and why."""


@dataclass(frozen=True)
class Host:
    """Whose history it is; empty where the file does not say."""

    nodename: str = ""
    machine: str = ""


def find_history() -> list[str]:
    """The daily files of this machine, oldest first."""
    found = []
    for folder in FOLDERS:
        names = os.listdir(folder) if os.path.isdir(folder) else []
        found += [f"{folder}/{name}" for name in names if _HISTORY.fullmatch(name)]
    return sorted(found, key=lambda path: (os.path.getmtime(path), path))


@contextmanager
def open_json(path: str, sadf: str) -> Iterator[IO[str]]:
    """The text of `sadf -j`: the file's own where it is that already, or what sadf makes of it. SarError, OSError."""
    if path == STDIN:
        yield sys.stdin
        return
    with open(path, "rb") as file:
        is_text = file.read(1) in (b"{", b" ", b"\n", b"\t")
    if is_text:
        with open(path, encoding="utf-8", errors="backslashreplace") as text:
            yield text
        return
    with _run_sadf(path, sadf) as text:
        yield text


@contextmanager
def _run_sadf(path: str, sadf: str) -> Iterator[IO[str]]:
    command = [sadf, "-j", path, "--", *_known_options(path, sadf)]
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, encoding="utf-8",
        errors="backslashreplace",
    )  # fmt: skip
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    try:
        yield process.stdout
    finally:
        process.stdout.close()
        process.kill()
        process.wait()


def _known_options(path: str, sadf: str) -> list[str]:
    """The richest set that this sadf takes, tried on one second of the file."""
    error = ""
    for options in _WANTED:
        command = [sadf, "-j", "-s", "00:00:00", "-e", "00:00:01", path, "--", *options]
        try:
            done = subprocess.run(command, capture_output=True, env={**os.environ, "LC_ALL": "C"}, check=False)
        except FileNotFoundError:
            raise SarError(
                f"{sadf} is not installed: install sysstat, or give a file with the output of sadf -j."
            ) from None
        if done.returncode == 0:
            return options
        error = done.stderr.decode(errors="replace").strip().splitlines()[0] if done.stderr.strip() else "no reason"
    raise SarError(f"{path} cannot be read by {sadf}: {error}")


def records(text: IO[str], name: str) -> Iterator[tuple[Host, dict[str, Any]]]:
    """Each record of each host, one in memory at a time; SarError when it is not the output of sadf -j."""
    buffer = _Buffer(text, name)
    seen = False
    while buffer.skip_past('"statistics"'):
        seen = True
        host = _host(buffer.skipped)
        buffer.skip_past("[")
        for record in buffer.objects():
            yield host, record
    if not seen:
        raise SarError(f"{name} is not the output of sadf -j: it has no statistics.")


def _host(text: str) -> Host:
    found = dict(re.findall(r'"(nodename|machine)"\s*:\s*"([^"]*)"', text))
    return Host(found.get("nodename", ""), found.get("machine", ""))


class _Buffer:
    """A window on the text; `skipped` is what the last skip passed over."""

    def __init__(self, text: IO[str], name: str) -> None:
        self._text = text
        self._name = name
        self._data = ""
        self._decoder = json.JSONDecoder()
        self.skipped = ""

    def _more(self) -> bool:
        piece = self._text.read(_READ_CHARACTERS)
        self._data = self._data[:-_LONGEST_WORD] + _NOT_A_NUMBER.sub(": null", self._data[-_LONGEST_WORD:] + piece)
        if len(self._data) > _MAX_RECORD_CHARACTERS:
            raise SarError(f"{self._name} is not the output of sadf -j: a record is longer than 16 MB.")
        return bool(piece)

    def skip_past(self, mark: str) -> bool:
        """False at the end of the text."""
        while mark not in self._data:
            if not self._more():
                return False
        self.skipped, _, self._data = self._data.partition(mark)
        return True

    def objects(self) -> Iterator[dict[str, Any]]:
        """Of the list that has just begun, up to its end."""
        while True:
            self._data = self._data.lstrip(" \t\r\n,")
            if not self._data and self._more():
                continue
            if not self._data.startswith("{"):
                return
            yield self._object()

    def _object(self) -> dict[str, Any]:
        while True:
            try:
                content, end = self._decoder.raw_decode(self._data)
            except ValueError as error:
                if not self._more():
                    raise SarError(f"{self._name} breaks off or is not JSON: {error}.") from None
                continue
            self._data = self._data[end:]
            return dict(content)


def timestamp(record: dict[str, Any]) -> Optional[str]:
    """RFC 3339 in UTC; None when the record has none (a restart, a comment).

    `utc` is 1 by default; without it (`sadf -t`) the time is that of the machine, taken for this one's.
    """
    stamp = record.get("timestamp")
    if not isinstance(stamp, dict):
        return None
    text = f"{stamp.get('date', '')} {stamp.get('time', '')}"
    try:
        moment = datetime.strptime(text.replace("/", "-"), "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
    if stamp.get("utc") == 1 or str(stamp.get("tz", "")).upper() in ("UTC", "GMT", "Z"):
        return format_timestamp(moment.replace(tzinfo=timezone.utc))
    return format_timestamp(datetime.fromtimestamp(time.mktime(moment.timetuple()), timezone.utc))
