"""When a failed sending is tried again: exponential with full jitter, so that what failed together returns apart."""

from __future__ import annotations

import random
from datetime import timedelta

FIRST = timedelta(seconds=15)
LONGEST = timedelta(minutes=30)
SOONEST = timedelta(seconds=5)


def wait(failures: int, retry_after: int = 0, jitter: float | None = None) -> timedelta:
    """After that many failures in a row, from 1; not before the receiver asked for. jitter: 0 to 1, else random."""
    widest: timedelta = min(LONGEST, FIRST * 2 ** min(failures - 1, 12))
    share = random.random() if jitter is None else jitter  # noqa: S311  # spreads load, protects nothing
    return max(SOONEST, widest * share, timedelta(seconds=retry_after))
