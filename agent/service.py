"""`run`: samples on time, uploads in a child process, survives everything but the end of the machine."""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import time
from collections import deque
from typing import Any, Callable

from agent import clocks, reading, sample
from agent.config import Config, ConfigError
from agent.journal import Lines
from agent.spool import Spool
from agent.state import State
from agent.uploader import Uploader

_LOG = logging.getLogger("perfagent")
MAX_UNSPOOLED_SAMPLES = 1000
FINAL_UPLOAD_SECONDS = 10.0
MAX_UNCOLLECTED_OBJECTS = 2000


class Service:
    """One per process; `run` returns when SIGTERM or SIGINT has come and the last upload was tried."""

    def __init__(self, config: Config, reload: Callable[[], Config]) -> None:
        self._config = config
        self._reload = reload
        self._spool = Spool(config.spool_dir)
        self._uploader = Uploader(self._spool)
        self._scanner = _scanner(config)
        self._unspooled: deque[Lines] = deque()
        self._previous: reading.Reading | None = None
        self._stopping = False
        self._reloading = False
        self._wake, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.state = State(config.spool_dir)

    def run(self) -> None:
        """SpoolError when the spool cannot be used."""
        self._spool.open()
        self.state.begin()
        self._listen_for_signals()
        _LOG.info("Sampling every %g s to %s", self._config.sample_seconds, self._config.spool_dir)
        self._prime()
        _settle_memory()
        next_sample = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= next_sample:
                self._sample()
                next_sample = self._after(next_sample)
            self._upload_if_due()
            self._sleep(next_sample)
        self._stop()

    def _listen_for_signals(self) -> None:
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, *_: Any) -> None:
        self._stopping = True

    def _on_reload(self, *_: Any) -> None:
        self._reloading = True

    def _prime(self) -> None:
        """A first reading, so that the first sample has rates already."""
        self._previous = self._scanner.take()
        self.state.note_start(self._previous, self._spool.newest(), self._config.sample_seconds)
        self._uploader.schedule(clocks.PRIMING_SECONDS)
        primed = time.monotonic() + clocks.PRIMING_SECONDS
        while time.monotonic() < primed and not self._stopping:
            self._sleep(primed)

    def _after(self, moment: float) -> float:
        """The next tick of the same grid; ticks that were missed are not made up for."""
        seconds = self._config.sample_seconds
        missed = (time.monotonic() - moment) // seconds
        return moment + seconds * (missed + 1)

    def _sample(self) -> None:
        new = self._scanner.take()
        built = sample.build(self._previous, new, self._config.sample_seconds, int(self._config.processes))
        self._previous = new
        self.keep(sample.lines(built, self._config.machine_id))
        self.state.note_sample(new, built.gap)
        self._write_status()

    def keep(self, lines: Lines) -> None:
        """Into the spool; while the disk refuses, in memory in order, the oldest dropped beyond a bound."""
        self._unspooled.append(lines)
        self._flush()
        while len(self._unspooled) > MAX_UNSPOOLED_SAMPLES:
            self._unspooled.popleft()
            self.state.lose("unspooled_samples_dropped", 1)
        self.state.note_unspooled(self._in_memory())

    def _flush(self) -> None:
        try:
            while self._unspooled:
                self._spool.append(self._unspooled[0])
                self._unspooled.popleft()
            self._spool.sync_if_due()
        except OSError as error:
            _LOG.error("The spool cannot be written, %d samples in memory: %s", self._in_memory(), error)

    def _in_memory(self) -> int:
        """Samples that the disk has not taken."""
        return len(self._unspooled) + self._spool.doubtful_samples

    def _upload_if_due(self) -> None:
        outcome = self._uploader.collect()
        if outcome is not None:
            self._note(outcome)
        if not self._uploader.due():
            return
        if gc.get_count()[0] > MAX_UNCOLLECTED_OBJECTS:
            gc.collect()
        self._seal()
        if self._spool.batches():
            self._start_upload()
        else:
            self._uploader.schedule(self._config.upload_seconds)

    def _start_upload(self) -> None:
        self._uploader.start(self._config, self.state.notes(), self.state.inventory_sent())

    def _seal(self) -> None:
        """The bounds are enforced here, while no child is sending."""
        try:
            self._spool.seal()
            self._spool.enforce_bounds(int(self._config.spool_max_mb * 1_048_576), self._config.spool_max_days * 86_400)
        except OSError as error:
            _LOG.error("The batch cannot be sealed: %s", error)
        for name, number in self._spool.counters.items():
            self.state.lose(name, number)
        self._spool.counters.clear()

    def _note(self, outcome: dict[str, Any]) -> None:
        self.state.note_drain(outcome, self._uploader.notes)
        self._uploader.plan_next(outcome, self._config.upload_seconds)
        self._write_status()

    def _write_status(self) -> None:
        self.state.write_if_due(self._config, self._spool.usage)

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
        self._config, self._scanner = new, _scanner(new)
        self._uploader.schedule(0.0)
        _LOG.info("Settings reloaded")

    def _stop(self) -> None:
        """One last upload, bounded in time; what it does not send is in the spool."""
        _LOG.info("Stopping")
        deadline = time.monotonic() + FINAL_UPLOAD_SECONDS
        self._note_if_any(self._uploader.finish(FINAL_UPLOAD_SECONDS))
        self._flush()
        self.state.lose("unspooled_samples_dropped", len(self._unspooled))
        self._seal()
        if self._spool.batches():
            self._start_upload()
            self._note_if_any(self._uploader.wait(max(deadline - time.monotonic(), 0.0)))
        self.state.has_news = True
        self._write_status()
        self._spool.close()

    def _note_if_any(self, outcome: dict[str, Any] | None) -> None:
        if outcome is not None:
            self._note(outcome)


def _scanner(config: Config) -> reading.Scanner:
    return reading.Scanner(reading.Roots(config.proc_root, config.sys_root), config.processes >= 1)


def _settle_memory() -> None:
    """What was loaded stays: the collector need not walk it in every sample, nor copy it after every fork."""
    gc.collect()
    gc.freeze()
    gc.disable()
