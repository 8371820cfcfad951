"""What a running service knows of itself, kept in the status file: written on news, and as a sign of life."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any

from agent import events, status
from agent.config import Config
from agent.reading import Reading
from agent.sample import MAX_GAP_INTERVALS, Gap

_LOG = logging.getLogger("perfagent")
INVENTORY_SECONDS = 3600.0


def sign_of_life_seconds(sample_seconds: float) -> float:
    """Within what `check` lets pass; with every other sample where they are far between."""
    return max(30.0, 1.5 * sample_seconds)


class State:
    """The status, and what of it the portal does not know yet."""

    def __init__(self, spool_dir: str) -> None:
        self._spool_dir = spool_dir
        self._written_at = 0.0
        self._inventory_at = -INVENTORY_SECONDS
        self.has_news = True
        self.status = status.Status()

    def begin(self) -> None:
        """Takes over what the process before has left."""
        old = status.read(self._spool_dir) or status.Status()
        kept = ("totals", "last_loss", "last_upload", "last_sample", "boot_id", "events", "inventory")
        for name in kept:
            setattr(self.status, name, getattr(old, name))
        self.status.pid, self.status.started = os.getpid(), time.time()

    def note_start(self, reading: Reading, newest_spooled: float, sample_seconds: float) -> None:
        """The gap since the process before, whose status may be older than its last sample."""
        last = max(self.status.last_sample, newest_spooled) if self.status.last_sample else 0.0
        boot_id = reading.boot_id or ""
        tolerated = MAX_GAP_INTERVALS * sample_seconds
        found = events.after_start(last, self.status.boot_id, reading.instant.wall, boot_id, tolerated)
        self.status.boot_id = boot_id
        if found is not None:
            self._add(found)

    def note_sample(self, new: Reading, gap: Gap | None) -> None:
        if gap is not None:
            _LOG.warning("No rates in this sample: %s", gap.reason)
            self.status.last_gap, self.has_news = gap.reason, True
            if gap.kind:
                self._add(events.event(gap.kind, self.status.last_sample, new.instant.wall, gap.reason))
        self.status.last_sample = new.instant.wall
        self._note_failures(dict(new.failures))

    def _note_failures(self, failures: dict[str, str]) -> None:
        """Says once that a reader fails, and once that it works again."""
        known = self.status.failing_readers
        for name in sorted(failures.keys() - known.keys()):
            _LOG.warning("The reader %s fails, its columns stay empty: %s", name, failures[name])
        for name in sorted(known.keys() - failures.keys()):
            _LOG.info("The reader %s works again", name)
        self.has_news |= failures != known
        self.status.count("failed_reads", len(failures))
        self.status.failing_readers = failures

    def note_unspooled(self, number: int) -> None:
        self.has_news |= number != self.status.unspooled_samples
        self.status.unspooled_samples = number

    def note_drain(self, outcome: dict[str, Any], notes: dict[str, str]) -> None:
        """What a drain did; its child has set batches aside in its own copy of the counters."""
        for name in ("sent_batches", "sent_samples", "sent_rows"):
            self.status.count(name, outcome[name])
        self.lose("quarantined_files", outcome["refused_batches"])
        self.lose("quarantined_samples", outcome["refused_samples"])
        if outcome["sent_batches"]:
            self.status.last_upload = time.time()
        if outcome["noted"]:
            self.status.events = events.marked(self.status.events, json.loads(notes.get("events", "[]")))
            self.status.inventory = outcome["inventory"] or self.status.inventory
        self.status.last_failure, self.status.last_failure_code = outcome["failure"], outcome["code"]
        self.has_news = True

    def lose(self, name: str, number: int) -> None:
        if not number:
            return
        self.status.count(name, number)
        since = self.status.last_loss = time.time()
        self.has_news = True
        if name in _LOSSES:
            kind, detail = _LOSSES[name]
            self._add(events.event(kind, since, since, detail))

    def _add(self, event: events.Event) -> None:
        self.status.add(event)
        self.has_news = True

    def inventory_sent(self) -> str | None:
        """The mark of the inventory that the portal has; None when it was looked at less than an hour ago."""
        if self.status.inventory and time.monotonic() - self._inventory_at < INVENTORY_SECONDS:
            return None
        self._inventory_at = time.monotonic()
        return self.status.inventory

    def notes(self) -> dict[str, str]:
        """Form fields that tell the portal of what it does not know yet."""
        unsent = events.unsent(self.status.events)
        return {"events": json.dumps(unsent)} if unsent else {}

    def write_if_due(self, config: Config, usage: Any) -> None:
        """usage: gives the waiting batches and bytes, asked only when the file is written."""
        silent = time.monotonic() - self._written_at
        if not self.has_news and silent < sign_of_life_seconds(config.sample_seconds):
            return
        self.status.sample_seconds, self.status.upload_seconds = config.sample_seconds, config.upload_seconds
        try:
            self.status.waiting_batches, self.status.waiting_bytes = usage()
            status.write(self._spool_dir, self.status)
        except OSError as error:
            _LOG.error("The status file cannot be written: %s", error)
            return
        self.has_news, self._written_at = False, time.monotonic()


_LOSSES = {
    "dropped_samples": ("samples_dropped", "the spool was full or the batches too old"),
    "unspooled_samples_dropped": ("samples_dropped", "the disk refused writes and memory was full"),
    "quarantined_samples": ("samples_refused", "the portal refused the samples"),
}
