"""/proc/net/dev: traffic counters of every network interface (net/core/net-procfs.c)."""

from __future__ import annotations

from typing import NamedTuple

from agent.readers.files import ParseError, Tree

_FIELDS = 16


class NetCounters(NamedTuple):
    """Since the interface was made."""

    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_drops: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_drops: int

    @property
    def used(self) -> bool:
        return bool(self.rx_packets or self.tx_packets)


def read(proc: Tree) -> dict[str, NetCounters]:
    """Of the agent's own network namespace: /proc/net is a link into it, also when /proc is the host's."""
    return parse(proc.short_lines("net/dev"))


def parse(text: str) -> dict[str, NetCounters]:
    """Counters by interface name. A name may hold a colon (an alias), and no space need follow the last one."""
    lines = text.splitlines()
    if len(lines) < 2 or "|" not in lines[0]:
        raise ParseError(f"/proc/net/dev has no header: {text[:80]!r}")
    return dict(map(_line, lines[2:]))


def _line(line: str) -> tuple[str, NetCounters]:
    name, colon, rest = line.rpartition(":")
    fields = rest.split()
    if not colon or not name.strip() or len(fields) < _FIELDS:
        raise ParseError(f"/proc/net/dev has a line that cannot be read: {line[:80]!r}")
    try:
        numbers = list(map(int, fields))
    except ValueError:
        raise ParseError(f"/proc/net/dev has a line that is not numbers: {line[:80]!r}") from None
    return name.strip(), NetCounters(*numbers[:4], *numbers[8:12])
