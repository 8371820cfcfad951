"""Differences of kernel counters, which wrap, reset and run backwards."""

from __future__ import annotations

from collections.abc import Sequence
from operator import sub

WRAP = 1 << 32


def forward(old: int, new: int) -> int:
    """A counter that may step back a little (idle and iowait do, fs/proc/stat.c): never less than 0."""
    return max(new - old, 0)


def all_forward(old: Sequence[int], new: Sequence[int]) -> list[int]:
    """Each of them so."""
    return [after - before if after > before else 0 for before, after in zip(old, new)]


def wrapped(old: int, new: int) -> int:
    """A counter that is an unsigned 32-bit integer and known not to have been reset."""
    return (new - old) % WRAP


def differences(old: Sequence[int], new: Sequence[int]) -> tuple[int, ...] | None:
    """Of the counters of one device; None when they were reset.

    A reset takes several counters back at once. One alone that falls from the upper half of 32 bits to the lower has
    wrapped: a 32-bit kernel, or a network card that counts in 32 bits.
    """
    changes = tuple(map(sub, new, old))
    if min(changes) >= 0:
        return changes
    fallen = [(before, after) for before, after in zip(old, new) if after < before]
    if len(fallen) > 1 or any(not _wraps(before, after) for before, after in fallen):
        return None
    return tuple(after - before if after >= before else after - before + WRAP for before, after in zip(old, new))


def _wraps(before: int, after: int) -> bool:
    return before < WRAP and after - before + WRAP < WRAP // 2
