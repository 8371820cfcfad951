"""How long to wait after a failure."""

from __future__ import annotations

import os
from typing import Callable


def backoff_seconds(failures: int, retry_after: float | None, pick: Callable[[float, float], float]) -> float:
    """Full jitter (Brooker, "Exponential Backoff and Jitter", 2015) from 1 s to 5 min, on top of Retry-After."""
    jitter = pick(1.0, min(2.0 ** min(failures, 16), 300.0))
    return jitter + (retry_after or 0.0)


def random_between(low: float, high: float) -> float:
    """Without the module `random`, which would stay in memory for this alone."""
    return low + (high - low) * int.from_bytes(os.urandom(6), "big") / 2**48
