"""Network rates of each interface, and of the machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from core.catalogue import MIB

from agent.counters import differences
from agent.readers.interfaces import Interface
from agent.readers.netdev import NetCounters

Interfaces = Mapping[str, Interface]
Counters = Mapping[str, NetCounters]
Delta = tuple[int, ...]

_COLUMNS = (
    ("rx_mb", MIB),
    ("rx_packets", 1),
    ("rx_errors", 1),
    ("rx_drops", 1),
    ("tx_mb", MIB),
    ("tx_packets", 1),
    ("tx_errors", 1),
    ("tx_drops", 1),
)
_VIRTUAL_PREFIXES = (
    "veth",
    "docker",
    "br",
    "virbr",
    "bond",
    "team",
    "tun",
    "tap",
    "wg",
    "cni",
    "flannel",
    "cali",
    "vnet",
)


class Layout(NamedTuple):
    """interfaces: what each is. physical: those whose sum is the machine's traffic, each packet once."""

    interfaces: Interfaces
    physical: list[str]


def layout(names: Iterable[str], known: Interfaces | None) -> Layout:
    """names: those in /proc/net/dev. known: what sysfs says of them; where it says nothing, the name must do."""
    interfaces = {name: (known or {}).get(name) or _guess(name) for name in names}
    return Layout(interfaces, _physical(interfaces))


def _guess(name: str) -> Interface:
    virtual = name.startswith(_VIRTUAL_PREFIXES) or "." in name or ":" in name or "@" in name
    return Interface(name, stacked=virtual)


def _physical(interfaces: Interfaces) -> list[str]:
    """A port whose master is hardware too (the virtual function below a cloud's synthetic card) is counted there.

    Where no interface has hardware (a container), the endpoints stand for it.
    """
    hardware = {name for name, interface in interfaces.items() if interface.has_device}
    counted = [name for name in interfaces if name in hardware and interfaces[name].master not in hardware]
    return counted or [name for name, interface in interfaces.items() if interface.endpoint]


def listed(counters: Counters, chosen: Layout) -> list[str]:
    """Interfaces that get a row: all but lo, and but virtual ones that never carried a packet."""
    counted = set(chosen.physical)
    return [name for name in counters if name != "lo" and (name in counted or counters[name].used)]


def deltas(old: Counters, new: Counters, before: Interfaces, after: Interfaces) -> dict[str, Delta]:
    """Of interfaces that were there at both readings; the same name with another ifindex is another interface."""
    changes: dict[str, Delta] = {}
    for name, counters in new.items():
        if name in old and before[name].ifindex == after[name].ifindex:
            change = differences(old[name], counters)
            if change is not None:
                changes[name] = change
    return changes


def rates(prefix: str, changes: Iterable[Delta], seconds: float) -> dict[str, float | None]:
    """Columns of all those interfaces together; empty when there are none."""
    sums = map(sum, zip(*changes))
    return {prefix + name: total / scale / seconds for (name, scale), total in zip(_COLUMNS, sums)}
