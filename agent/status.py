"""The status file: what `run` last did, for `check` and for people."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from agent import __version__
from agent.durable import write_all
from agent.events import Event, added

_to_json = json.JSONEncoder().encode
OK, WARNING, CRITICAL = 0, 1, 2
_WORDS = ("OK", "WARNING", "CRITICAL")
_LATE_INTERVALS = 3
_GRACE_SECONDS = 60.0


@dataclass
class Status:
    """Wall-clock seconds. `totals` counts since the spool was made: sent, dropped, refused, set aside.

    events: the newest gaps and losses. inventory: the mark of the inventory that the portal has.
    """

    version: str = __version__
    pid: int = 0
    sample_seconds: float = 0.0
    upload_seconds: float = 0.0
    started: float = 0.0
    last_sample: float = 0.0
    last_upload: float = 0.0
    last_failure: str = ""
    last_failure_code: str = ""
    waiting_batches: int = 0
    waiting_bytes: int = 0
    unspooled_samples: int = 0
    last_gap: str = ""
    boot_id: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    inventory: str = ""
    last_loss: float = 0.0
    failing_readers: dict[str, str] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        self.events = added(self.events, event)

    def count(self, name: str, number: int) -> None:
        if number:
            self.totals[name] = self.totals.get(name, 0) + number


def path_of(spool_dir: str) -> str:
    return f"{spool_dir}/status.json"


def write(spool_dir: str, status: Status) -> None:
    """Whole, but not fsynced: it says nothing that a restart could not say again. OSError when the disk is full."""
    temporary = f"{path_of(spool_dir)}.tmp"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        write_all(handle, _to_json(vars(status)).encode())
    finally:
        os.close(handle)
    os.replace(temporary, path_of(spool_dir))


def read(spool_dir: str) -> Status | None:
    """None when there is none, or one that cannot be read."""
    try:
        with open(path_of(spool_dir), encoding="utf-8") as file:
            content = json.load(file)
        known = {name: content[name] for name in Status.__dataclass_fields__ if name in content}
        return Status(**known)
    except (OSError, ValueError, TypeError):
        return None


def judge(status: Status | None, now: float | None = None) -> tuple[int, str]:
    """Exit code for monitoring, and one line that says why."""
    if status is None:
        return CRITICAL, "CRITICAL - no status: the agent has never run with this spool, or may not be read"
    moment = time.time() if now is None else now
    problems = _problems(status, moment)
    worst = max((level for level, _ in problems), default=OK)
    sentences = [text for level, text in problems if level == worst] or [_all_well(status, moment)]
    return worst, f"{_WORDS[worst]} - {'; '.join(sentences)}"


def _problems(status: Status, now: float) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    silent = now - status.last_sample
    if silent > _LATE_INTERVALS * status.sample_seconds + _GRACE_SECONDS:
        found.append((CRITICAL, f"no sample for {silent:.0f} s: the agent is not running"))
    unsent = now - max(status.last_upload, status.started)
    if status.last_failure_code.startswith(("AUTH_", "TENANT_")):
        found.append((CRITICAL, f"the portal refuses this machine: {status.last_failure}"))
    elif unsent > _LATE_INTERVALS * status.upload_seconds + _GRACE_SECONDS:
        reason = status.last_failure or "no answer"
        found.append((WARNING, f"no upload for {unsent:.0f} s, {status.waiting_batches} batches wait: {reason}"))
    if status.unspooled_samples:
        found.append((CRITICAL, f"the spool cannot be written; {status.unspooled_samples} samples are in memory only"))
    if now - status.last_loss < 86_400:
        found.append((WARNING, f"samples were lost or set aside in the last day: {_losses(status.totals)}"))
    return found


def _losses(totals: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(totals.items()) if not name.startswith("sent_"))


def _all_well(status: Status, now: float) -> str:
    uploaded = f"last upload {now - status.last_upload:.0f} s ago" if status.last_upload else "no upload yet"
    return f"last sample {now - status.last_sample:.0f} s ago, {uploaded}, {status.waiting_batches} batches waiting"


def as_json(status: Status | None) -> Any:
    return None if status is None else asdict(status)
