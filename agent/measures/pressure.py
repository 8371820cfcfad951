"""Pressure shares: microseconds waited ÷ microseconds passed."""

from __future__ import annotations

from collections.abc import Mapping

from agent.counters import forward
from agent.readers.pressure import Pressure

Pressures = Mapping[str, Pressure]


def shares(old: Pressures, new: Pressures, seconds: float) -> dict[str, float | None]:
    return {
        "psi_cpu_some": _share(old, new, "cpu", "some", seconds),
        "psi_memory_some": _share(old, new, "memory", "some", seconds),
        "psi_memory_full": _share(old, new, "memory", "full", seconds),
        "psi_io_some": _share(old, new, "io", "some", seconds),
        "psi_io_full": _share(old, new, "io", "full", seconds),
    }


def _share(old: Pressures, new: Pressures, resource: str, line: str, seconds: float) -> float | None:
    before, after = _total(old, resource, line), _total(new, resource, line)
    if before is None or after is None:
        return None
    return min(forward(before, after) / (10_000 * seconds), 100.0)


def _total(pressures: Pressures, resource: str, line: str) -> int | None:
    pressure = pressures.get(resource)
    if pressure is None:
        return None
    return pressure.some if line == "some" else pressure.full
