"""The duty of delivery: takes what is due to a pool of threads, and never waits for a receiver.

Each channel has one thread at a time, and channels in trouble only some of them: one that hangs holds up nobody else.
Sending is outside of any transaction; what came of it is written down after. A worker that dies in between leaves a
lease, and what it sent is sent once more under the same id.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import groupby

from django.db import connection
from django.utils import timezone

from alerts.sending import letters, queue, senders
from alerts.sending.letters import Sender
from alerts.sending.models import Channel, Delivery
from alerts.sending.parcels import Outcome, Parcel
from core.tenancy import current_schema, schema_context

MOST_AT_ONCE, MOST_IN_TROUBLE = 16, 8
BATCH = 5
Busy = tuple[str, int]
"""Schema and channel."""
Stopped = Callable[[], bool]


class Threads:
    """Rounds run in threads, each with a database connection of its own, which is closed after."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="sending")

    def start(self, round_: Callable[[], None]) -> None:
        self._pool.submit(self._run, round_)

    def _run(self, round_: Callable[[], None]) -> None:
        try:
            round_()
        finally:
            connection.close()


class Postman:
    """Of one worker process. The places are taken by (schema, channel); nothing else is remembered."""

    def __init__(self, start: Callable[[Callable[[], None]], None]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._at_work: dict[Busy, bool] = {}

    def deliver(self, sender: Sender, now: datetime, stopped: Stopped) -> int:
        """Of the current tenant; returns how many deliveries were begun."""
        queue.spread(now)
        schema, begun = current_schema(), 0
        due = queue.due(now, self._busy(schema), MOST_AT_ONCE * BATCH)
        for _, found in groupby(sorted(due, key=lambda one: (one.channel_id, one.pk)), lambda one: one.channel_id):
            begun += self._begin(schema, list(found)[:BATCH], sender, now, stopped)
        return begun

    def _busy(self, schema: str) -> list[int]:
        with self._lock:
            return [channel for name, channel in self._at_work if name == schema]

    def _begin(self, schema: str, found: Sequence[Delivery], sender: Sender, now: datetime, stopped: Stopped) -> int:
        channel = found[0].channel
        place = (schema, channel.pk)
        if not self._take(place, channel.is_failing):
            return 0
        try:
            parcels = [parcel for one in found if (parcel := _prepare(one, channel, sender, now))]
            self._start(lambda: self._round(place, parcels, stopped))
        except BaseException:
            self._leave(place)
            raise
        return len(parcels)

    def _take(self, place: Busy, is_failing: bool) -> bool:
        with self._lock:
            in_trouble = sum(self._at_work.values())
            if len(self._at_work) >= MOST_AT_ONCE or (is_failing and in_trouble >= MOST_IN_TROUBLE):
                return False
            self._at_work[place] = is_failing
            return True

    def _round(self, place: Busy, parcels: Sequence[Parcel], stopped: Stopped) -> None:
        """Send one after the other; after a failure the others wait, because the next is likely to fail as well."""
        try:
            goes_on = True
            for parcel in parcels:
                goes_on = goes_on and not stopped()
                outcome = senders.send(parcel) if goes_on else None
                with schema_context(place[0]):
                    _write_down(parcel, outcome)
                goes_on = outcome is not None and outcome.sent
        finally:
            self._leave(place)

    def _leave(self, place: Busy) -> None:
        with self._lock:
            self._at_work.pop(place, None)


def _prepare(delivery: Delivery, channel: Channel, sender: Sender, now: datetime) -> Parcel | None:
    """The parcel of a delivery that is ours now; None when it is another worker's, not needed, or has nowhere to go."""
    if not queue.claim(delivery, now):
        return None
    if reason := queue.needless(delivery):
        queue.skip(delivery, reason, now)
        return None
    letter = letters.write(delivery.message, sender, now)
    packed = senders.pack(channel, letter, delivery=delivery.pk, attempt=delivery.attempts)
    if isinstance(packed, Outcome):
        queue.record(delivery.pk, delivery.attempts, packed, now)
        return None
    return packed


def _write_down(parcel: Parcel, outcome: Outcome | None) -> None:
    if outcome is None:
        queue.give_back(parcel.delivery, parcel.attempt)
    else:
        queue.record(parcel.delivery, parcel.attempt, outcome, timezone.now())
