"""/proc/pressure/{cpu,memory,io}: time in which tasks waited (Linux Documentation/accounting/psi.rst; since 4.20).

The folder is absent without CONFIG_PSI, and reading answers EOPNOTSUPP when PSI is off (boot option psi=0).
"""

from __future__ import annotations

from typing import NamedTuple

from agent.readers.files import ParseError, Tree

RESOURCES = ("cpu", "memory", "io")


class Pressure(NamedTuple):
    """Microseconds since boot; `full` is None for cpu before Linux 5.13."""

    some: int
    full: int | None = None


def read(proc: Tree) -> dict[str, Pressure]:
    """Of each resource that can be read; OSError when none can."""
    pressures: dict[str, Pressure] = {}
    refused: OSError | None = None
    for resource in RESOURCES:
        try:
            pressures[resource] = parse(proc.short_lines(f"pressure/{resource}"))
        except OSError as error:
            refused = error
    if refused is not None and not pressures:
        raise refused
    return pressures


def parse(text: str) -> Pressure:
    totals: dict[str, int] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        total = rest.rpartition("total=")[2]
        if kind in ("some", "full") and total.isdigit():
            totals[kind] = int(total)
    if "some" not in totals:
        raise ParseError(f"/proc/pressure has no total of some: {text[:80]!r}")
    return Pressure(totals["some"], totals.get("full"))
