"""manage.py work [--once] [--alive-file PATH]"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from core.tenancy import schema_context
from partners import duties, heartbeat
from partners.duties import Duty, StoppedError
from partners.models import Partner

logger = logging.getLogger("perfanalysis.work")

TURN_SECONDS, BEAT_SECONDS = 5.0, 10.0


class Command(BaseCommand):
    help = "Do the periodic duties of every partner (partitions, roll-ups, retention, …) until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do every duty once, then end; 1 when one failed")
        parser.add_argument("--alive-file", type=Path, help="touched every few seconds, for a health check")

    def handle(self, **options: Any) -> None:
        worker = Worker(options["alive_file"])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, worker.stop)
        if not options["once"]:
            worker.run()
        elif failed := worker.turn(worker.duties):
            raise CommandError(f"{failed} duties failed; see the log.")


class Worker:
    """One process of possibly several: a duty that another one is at, for the same partner, is passed over."""

    def __init__(self, alive_file: Path | None = None) -> None:
        self._alive_file = alive_file
        self._stop_asked = threading.Event()
        self.duties = duties.declared()
        self._due_at = {duty.name: 0.0 for duty in self.duties}
        self._beat_at = 0.0

    def stop(self, number: int, frame: FrameType | None) -> None:
        """End after the statement that runs now; what was begun is rolled back, and done by the next worker."""
        self._stop_asked.set()

    def run(self) -> None:
        logger.info("working; duties: %s", ", ".join(duty.name for duty in self.duties))
        while not self.stopped():
            self.turn([duty for duty in self.duties if self._due_at[duty.name] <= time.monotonic()])
            self._stop_asked.wait(TURN_SECONDS)
        logger.info("stopped")

    def turn(self, due: Sequence[Duty]) -> int:
        """Those duties for every partner; returns how many failed."""
        try:
            partners = list(Partner.objects.all())
        except DatabaseError:
            logger.exception("the database is away")
            connection.close()
            return 1
        for duty in due:
            self._due_at[duty.name] = time.monotonic() + duty.every.total_seconds()
        return sum(self._failed(duty, partner) for partner in partners for duty in due if not self.stopped())

    def stopped(self) -> bool:
        """Asked before every small step, so it tells that the worker is alive, too."""
        if time.monotonic() >= self._beat_at:
            self._beat_at = time.monotonic() + BEAT_SECONDS
            heartbeat.beat(timezone.now())
            if self._alive_file:
                self._alive_file.touch()
        return self._stop_asked.is_set()

    def _failed(self, duty: Duty, partner: Partner) -> bool:
        """Do it; a failure is logged, and the other partners have their turn."""
        began = time.monotonic()
        try:
            with schema_context(partner.schema_name), duties.alone(duty.name) as mine:
                done = duty.run(partner, timezone.now(), self.stopped) if mine else ""
        except StoppedError:
            return False
        except Exception:  # one partner's trouble, whatever it is, must not be every partner's
            logger.exception("%s: %s failed", partner.schema_name, duty.name)
            connection.close()
            return True
        if done:
            logger.info("%s: %s: %s in %.1f s", partner.schema_name, duty.name, done, time.monotonic() - began)
        return False
