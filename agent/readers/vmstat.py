"""/proc/vmstat: pages swapped in and out since boot (mm/vmstat.c; a page is the CPU's page size)."""

from __future__ import annotations

from typing import NamedTuple

from agent.readers.files import ParseError, Tree

_LAST = "\npswpout "


class Vmstat(NamedTuple):
    """Pages since boot."""

    swapped_in: int
    swapped_out: int


def read(proc: Tree) -> Vmstat:
    """Its two lines stand in the first half of most kernels' file; the kernel need not write the rest."""
    head = proc.head("vmstat")
    return parse(head if _LAST in head else proc.text("vmstat"))


def parse(text: str) -> Vmstat:
    """Looks for its two lines among some two hundred instead of taking all apart."""
    return Vmstat(_pages(text, "pswpin "), _pages(text, "pswpout "))


def _pages(text: str, name: str) -> int:
    start = 0 if text.startswith(name) else text.find(f"\n{name}") + 1
    if start == 0 and not text.startswith(name):
        raise ParseError("/proc/vmstat has no pswpin and pswpout: this kernel was built without swap")
    end = text.find("\n", start)
    number = text[start + len(name) : end if end >= 0 else None]
    if not number.isdigit():
        raise ParseError(f"/proc/vmstat has a line that is no number: {text[start : start + 80]!r}")
    return int(number)
