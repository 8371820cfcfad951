"""Three clocks: the wall clock dates a sample, the monotonic one measures an interval, boot time reveals a suspend."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone


@dataclass(frozen=True)
class Instant:
    """Seconds. wall: since 1970 in UTC. monotonic: stands still in a suspend; boottime: does not."""

    wall: float
    monotonic: float
    boottime: float

    @property
    def timestamp(self) -> datetime:
        """In UTC, to the millisecond."""
        return datetime.fromtimestamp(int(self.wall * 1000) / 1000, timezone.utc)


def now() -> Instant:
    return Instant(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
