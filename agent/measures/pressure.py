"""Pressure shares: microseconds waited ÷ microseconds passed."""

from __future__ import annotations

from collections.abc import Mapping

from agent.counters import forward
from agent.readers.pressure import Pressure

Pressures = Mapping[str, Pressure]

_SHARES = (
    ("psi_cpu_some", "cpu", "some"),
    ("psi_memory_some", "memory", "some"),
    ("psi_memory_full", "memory", "full"),
    ("psi_io_some", "io", "some"),
    ("psi_io_full", "io", "full"),
)


def shares(old: Pressures, new: Pressures, seconds: float) -> dict[str, float | None]:
    """Percent of the interval; None where a kernel does not tell at both its ends."""
    columns: dict[str, float | None] = {}
    for column, resource, line in _SHARES:
        before, after = getattr(old.get(resource), line, None), getattr(new.get(resource), line, None)
        if before is None or after is None:
            columns[column] = None
        else:
            columns[column] = min(forward(before, after) / (10_000 * seconds), 100.0)
    return columns
