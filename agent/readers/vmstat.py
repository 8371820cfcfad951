"""/proc/vmstat: pages swapped in and out since boot (mm/vmstat.c; a page is the CPU's page size)."""

from __future__ import annotations

from dataclasses import dataclass

from agent.readers.files import ParseError, read_text


@dataclass(frozen=True)
class Vmstat:
    """Pages since boot."""

    swapped_in: int
    swapped_out: int


def read(proc_root: str) -> Vmstat:
    return parse(read_text(f"{proc_root}/vmstat"))


def parse(text: str) -> Vmstat:
    pages: dict[str, int] = {}
    for line in text.splitlines():
        if line.startswith(("pswpin ", "pswpout ")):
            name, _, number = line.partition(" ")
            if not number.isdigit():
                raise ParseError(f"/proc/vmstat has a line that is no number: {line[:80]!r}")
            pages[name] = int(number)
    if len(pages) != 2:
        raise ParseError("/proc/vmstat has no pswpin and pswpout: this kernel was built without swap")
    return Vmstat(pages["pswpin"], pages["pswpout"])
