"""/proc/loadavg: load averages over 1, 5 and 15 minutes (Linux Documentation/filesystems/proc.rst)."""

from __future__ import annotations

from typing import NamedTuple

from agent.readers.files import ParseError, Tree


class Loadavg(NamedTuple):
    one: float
    five: float
    fifteen: float


def read(proc: Tree) -> Loadavg:
    return parse(proc.short_lines("loadavg"))


def parse(text: str) -> Loadavg:
    words = text.split()[:3]
    try:
        one, five, fifteen = map(float, words)
    except ValueError:
        raise ParseError(f"/proc/loadavg is not three numbers: {text[:80]!r}") from None
    if not 0 <= min(one, five, fifteen) <= max(one, five, fifteen) < float("inf"):
        raise ParseError(f"/proc/loadavg is not three loads: {text[:80]!r}")
    return Loadavg(one, five, fifteen)
