"""How long a batch has waited, by clocks that nobody sets."""

from __future__ import annotations

from collections.abc import Iterable

from agent.clocks import Instant

SETTLING_SECONDS = 3600.0
"""After the start: a machine without a battery has its date from the network only a while after it booted."""


class Ages:
    """Of batches of this process: the time it has seen them wait. Of older ones: the wall clock, less its jumps.

    A clock that is set a year ahead by mistake would otherwise make every batch that waits too old at once.
    """

    def __init__(self, started: Instant, found: Iterable[str] = ()) -> None:
        self._started = started
        self._found = frozenset(found)
        self._first_seen: dict[str, float] = {}

    def seconds(self, batch_id: str, modified: float, now: Instant) -> float:
        """modified: when the file was written, by the wall clock. 0 while that clock may still be wrong."""
        lived = now.boottime - self._started.boottime
        if batch_id not in self._found:
            return now.boottime - self._first_seen.setdefault(batch_id, now.boottime)
        if lived < SETTLING_SECONDS:
            return 0.0
        jumped = max(now.wall - self._started.wall - lived, 0.0)
        return max(now.wall - jumped - modified, 0.0)

    def forget_all_but(self, batch_ids: set[str]) -> None:
        self._first_seen = {name: seen for name, seen in self._first_seen.items() if name in batch_ids}
