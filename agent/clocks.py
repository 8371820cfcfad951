"""Three clocks: the wall clock dates a sample, the monotonic one measures an interval, boot time reveals a suspend."""

from __future__ import annotations

import time
from typing import NamedTuple

PRIMING_SECONDS = 1.0
"""Between the first reading of all and the first sample, so that it has rates already."""


class Instant(NamedTuple):
    """Seconds. wall: since 1970 in UTC. monotonic: stands still in a suspend; boottime: does not."""

    wall: float
    monotonic: float
    boottime: float

    @property
    def timestamp(self) -> str:
        """RFC 3339 in UTC, to the millisecond."""
        milliseconds = int(self.wall * 1000)
        year, month, day, hour, minute, second = time.gmtime(milliseconds // 1000)[:6]
        return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{milliseconds % 1000:03d}Z"


def now() -> Instant:
    return Instant(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
