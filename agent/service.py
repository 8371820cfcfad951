"""`run`: samples on time, uploads in a child process, survives everything but the end of the machine."""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from collections import deque
from typing import Any, Callable

from agent import clocks, reading, sample, status
from agent.config import Config, ConfigError
from agent.journal import Lines
from agent.spool import Spool
from agent.uploader import Uploader

_LOG = logging.getLogger("perfagent")
PRIMING_SECONDS = 1.0
MAX_UNSPOOLED_SAMPLES = 1000
FINAL_UPLOAD_SECONDS = 10.0


class Service:
    """One per process; `run` returns when SIGTERM or SIGINT has come and the last upload was tried."""

    def __init__(self, config: Config, reload: Callable[[], Config]) -> None:
        self._config = config
        self._reload = reload
        self._spool = Spool(config.spool_dir)
        self._uploader = Uploader(self._spool)
        self._unspooled: deque[Lines] = deque()
        self._previous: reading.Reading | None = None
        self._stopping = False
        self._reloading = False
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.status = status.Status()

    def run(self) -> None:
        """SpoolError when the spool cannot be used."""
        self._spool.open()
        self._start_status()
        self._listen_for_signals()
        _LOG.info("Sampling every %g s to %s", self._config.sample_seconds, self._config.spool_dir)
        self._prime()
        next_sample = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= next_sample:
                self._sample()
                next_sample = self._after(next_sample)
            self._upload_if_due()
            self._sleep(next_sample)
        self._stop()

    def _start_status(self) -> None:
        old = status.read(self._config.spool_dir)
        self.status.totals = dict(old.totals) if old else {}
        self.status.last_loss = old.last_loss if old else 0.0
        self.status.last_upload = old.last_upload if old else 0.0
        self.status.pid, self.status.started = os.getpid(), time.time()

    def _listen_for_signals(self) -> None:
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def _on_stop(self, *_: Any) -> None:
        self._stopping = True

    def _on_reload(self, *_: Any) -> None:
        self._reloading = True

    def _prime(self) -> None:
        """A first reading, so that the first sample has rates already."""
        self._previous = self._take()
        self._uploader.schedule(PRIMING_SECONDS)
        primed = time.monotonic() + PRIMING_SECONDS
        while time.monotonic() < primed and not self._stopping:
            self._sleep(primed)

    def _take(self) -> reading.Reading:
        return reading.take(reading.Roots(self._config.proc_root, self._config.sys_root), clocks.now)

    def _after(self, moment: float) -> float:
        """The next tick of the same grid; ticks that were missed are not made up for."""
        seconds = self._config.sample_seconds
        missed = (time.monotonic() - moment) // seconds
        return moment + seconds * (missed + 1)

    def _sample(self) -> None:
        new = self._take()
        built = sample.build(self._previous, new, self._config.sample_seconds)
        self._previous = new
        self._report_readers(new.failures)
        if built.gap:
            _LOG.warning("No rates in this sample: %s", built.gap)
            self.status.last_gap = built.gap
        self.keep(sample.split_headers(sample.encode_rows(built, self._config.machine_id)))
        self.status.last_sample = new.instant.wall
        self._write_status()

    def _report_readers(self, failures: Any) -> None:
        """Says once that a reader fails, and once that it works again."""
        for name in sorted(set(failures) - set(self.status.failing_readers)):
            _LOG.warning("The reader %s fails, its columns stay empty: %s", name, failures[name])
        for name in sorted(set(self.status.failing_readers) - set(failures)):
            _LOG.info("The reader %s works again", name)
        self.status.count("failed_reads", len(failures))
        self.status.failing_readers = dict(failures)

    def keep(self, lines: Lines) -> None:
        """Into the spool; while the disk refuses, in memory in order, the oldest dropped beyond a bound."""
        self._unspooled.append(lines)
        try:
            while self._unspooled:
                self._spool.append(self._unspooled[0])
                self._unspooled.popleft()
        except OSError as error:
            _LOG.error("The spool cannot be written, %d samples in memory: %s", len(self._unspooled), error)
        while len(self._unspooled) > MAX_UNSPOOLED_SAMPLES:
            self._unspooled.popleft()
            self._lose("dropped_samples", 1)
        self.status.unspooled_samples = len(self._unspooled)

    def _lose(self, name: str, number: int) -> None:
        if number:
            self.status.count(name, number)
            self.status.last_loss = time.time()

    def _upload_if_due(self) -> None:
        outcome = self._uploader.collect()
        if outcome is not None:
            self._note(outcome)
        if not self._uploader.due():
            return
        self._seal()
        if self._spool.batches():
            self._uploader.start(self._config)
        else:
            self._uploader.schedule(self._config.upload_seconds)

    def _seal(self) -> None:
        """The bounds are enforced here, while no child is sending."""
        try:
            self._spool.seal()
            self._spool.enforce_bounds(int(self._config.spool_max_mb * 1_048_576), self._config.spool_max_days * 86_400)
        except OSError as error:
            _LOG.error("The batch cannot be sealed: %s", error)
        for name, number in self._spool.counters.items():
            self._lose(name, number)
        self._spool.counters.clear()

    def _note(self, outcome: dict[str, Any]) -> None:
        """What a drain did; its child has set batches aside in its own copy of the counters."""
        for name in ("sent_batches", "sent_samples", "sent_rows"):
            self.status.count(name, outcome[name])
        self._lose("quarantined_files", outcome["refused_batches"])
        self._lose("quarantined_samples", outcome["refused_samples"])
        if outcome["sent_batches"]:
            self.status.last_upload = time.time()
        self.status.last_failure, self.status.last_failure_code = outcome["failure"], outcome["code"]
        self._uploader.plan_next(outcome, self._config.upload_seconds)
        self._write_status()

    def _write_status(self) -> None:
        self.status.sample_seconds, self.status.upload_seconds = (
            self._config.sample_seconds,
            self._config.upload_seconds,
        )
        try:
            self.status.waiting_batches, self.status.waiting_bytes = self._spool.usage()
            status.write(self._config.spool_dir, self.status)
        except OSError as error:
            _LOG.error("The status file cannot be written: %s", error)

    def _sleep(self, until: float) -> None:
        """Until then, the next upload, a signal, or the end of a child."""
        moment = until if self._stopping else min(until, self._uploader.next_time)
        handles = [self._wake, *self._uploader.handles()]
        ready, _, _ = select.select(handles, [], [], max(moment - time.monotonic(), 0.0))
        if self._wake in ready:
            os.read(self._wake, 512)
        if self._reloading:
            self._load_config()

    def _load_config(self) -> None:
        self._reloading = False
        try:
            new = self._reload()
        except ConfigError as error:
            _LOG.error("The settings were not reloaded: %s", error)
            return
        if new.spool_dir != self._config.spool_dir:
            _LOG.warning("A new spool folder needs a restart; still using %s", self._config.spool_dir)
        self._config = new
        self._uploader.schedule(0.0)
        _LOG.info("Settings reloaded")

    def _stop(self) -> None:
        """One last upload, bounded in time; what it does not send is in the spool."""
        _LOG.info("Stopping")
        self._uploader.stop()
        self._note_if_any(self._uploader.collect())
        self._seal()
        if self._spool.batches():
            self._uploader.start(self._config)
            self._note_if_any(self._uploader.wait(FINAL_UPLOAD_SECONDS))
        self._write_status()
        self._spool.close()

    def _note_if_any(self, outcome: dict[str, Any] | None) -> None:
        if outcome is not None:
            self._note(outcome)
