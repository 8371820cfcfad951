"""Keeps the sample partner filled while the demo runs: thirty days at the first start, then every minute."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from itertools import groupby

from django.db import DatabaseError, connection
from django.utils import timezone

from analysis import generated_filling
from analysis.generated import INTERVAL
from analysis.generated_filling import Piece
from core.errors import ServiceError
from core.tenancy import schema_context
from partners.models import Partner
from portal.demo import Say

logger = logging.getLogger("perfanalysis.demo")

SCHEMA = "sample"
HISTORY = timedelta(days=30)
RECENT = timedelta(days=1)
NICE = 10
DAYS_PER_LINE = 5


class Filling(threading.Thread):
    """A thread with a database connection of its own, at a lower priority than the portal."""

    def __init__(self, say: Say) -> None:
        super().__init__(name="sample", daemon=True)
        self._say = say
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Ends after the piece that is being stored; a day of one machine takes a moment."""
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)  # of this thread only, on Linux
        with _in_sample() as origin:
            with _logged():
                self._fill_history(origin)
            while not self._stop_asked.wait(_until_next_sample()):
                with _logged():
                    now = timezone.now()
                    self._fill(generated_filling.plan(now - RECENT, now), origin)

    def _fill_history(self, origin: datetime) -> None:
        now = timezone.now()
        pieces = generated_filling.plan(now - HISTORY, now)
        days = [list(day) for _, day in groupby(pieces, lambda piece: piece.span.start.date())]
        began, records = timezone.now(), 0
        for count, day in enumerate(days, 1):
            records += self._fill(day, origin)
            if not self._stop_asked.is_set() and count % DAYS_PER_LINE == 0 and count < len(days):
                self._say(f"Sample data: {count} of {len(days)} days are stored.")
        if records and not self._stop_asked.is_set():
            seconds = (timezone.now() - began).total_seconds()
            self._say(f"Sample data is complete: {records:,} samples were added in {seconds:.0f} s.")

    def _fill(self, pieces: list[Piece], origin: datetime) -> int:
        records = 0
        for piece in pieces:
            if self._stop_asked.is_set():
                break
            records += generated_filling.fill(piece, origin)
        return records


def _until_next_sample() -> float:
    """Seconds until a moment after the next full minute."""
    interval = INTERVAL.total_seconds()
    return interval - timezone.now().timestamp() % interval + 1


@contextmanager
def _in_sample() -> Iterator[datetime]:
    """The instant from which the sample machines' slow trends count, inside their partner's schema."""
    try:
        opened = Partner.objects.get(schema_name=SCHEMA).created_on
        with schema_context(SCHEMA):
            yield datetime.combine(opened, time(), UTC) - HISTORY
    finally:
        connection.close()


@contextmanager
def _logged() -> Iterator[None]:
    """A failure is logged, and what is missing is filled at the next turn."""
    try:
        yield
    except (DatabaseError, ServiceError):
        logger.exception("sample data could not be stored")
