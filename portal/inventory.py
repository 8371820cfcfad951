"""What a machine is, from the inventory its agent sent, as rows for its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.models import Collector

Facts = list[tuple[str, str]]
Node = Mapping[str, Any]
MOST, DEEPEST = 400, 6


@dataclass(frozen=True)
class Device:
    """A block device or network interface, `depth` steps above one that stands on nothing."""

    name: str
    about: str
    depth: int


@dataclass(frozen=True)
class Inventory:
    facts: Facts
    block_devices: list[Device]
    interfaces: list[Device]


def of(collector: Collector) -> Inventory:
    """Whatever is in there is text to us: it comes from the machine."""
    told: Node = collector.inventory if isinstance(collector.inventory, dict) else {}
    return Inventory(_facts(told), _tree(told.get("block_devices"), _block), _tree(told.get("interfaces"), _network))


def _facts(told: Node) -> Facts:
    found = [
        ("System", _text(told, "os_name") or _text(told, "os")),
        ("Kernel", _joined(_text(told, "kernel"), _text(told, "architecture"))),
        ("Processor", _text(told, "cpu_model")),
        ("CPUs", _cpus(told)),
        ("Memory", _megabytes(told.get("memory_mb"))),
        ("Swap", _megabytes(told.get("swap_mb"))),
        ("Hardware", _joined(_text(told, "vendor"), _text(told, "product"))),
        ("Virtualisation", _text(told, "virtualization")),
        ("Container", _text(told, "container")),
        ("Cloud", _text(told, "cloud")),
        ("Purpose", _text(told, "purpose")),
        ("Agent", _joined(_text(told, "agent"), f"Python {python}" if (python := _text(told, "python")) else "")),
    ]
    return [(name, value) for name, value in found if value]


def booted_at(collector: Collector) -> int | None:
    """Seconds since 1970."""
    told = collector.inventory.get("boot_time") if isinstance(collector.inventory, dict) else None
    return told if isinstance(told, int) and 0 < told < 1 << 33 else None


def _cpus(told: Node) -> str:
    threads, cores, sockets = (told.get(name) for name in ("cpu_threads", "cpu_cores", "cpu_sockets"))
    if not isinstance(threads, int):
        return str(told["cores"]) if isinstance(told.get("cores"), int) else ""
    counted = ((cores, "core"), (sockets, "socket"))
    details = [f"{count} {name}{'s' * (count > 1)}" for count, name in counted if isinstance(count, int)]
    return f"{threads} ({', '.join(details)})" if details else str(threads)


def _megabytes(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return ""
    for unit, size in (("TB", 1 << 20), ("GB", 1 << 10)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value / size < 1000 else f"{value / size:,.0f} {unit}"
    return f"{value:.0f} MB"


def _text(told: Node, name: str) -> str:
    value = told.get(name)
    return value.strip() if isinstance(value, str) else ""


def _joined(*texts: str) -> str:
    return " · ".join(text for text in texts if text)


def _block(node: Node) -> str:
    spins = {True: "rotating", False: "solid state"}.get(node["rotational"]) if "rotational" in node else None
    kind = _text(node, "kind")
    return _joined(
        kind, _megabytes(node.get("size_mb")), _text(node, "model"), _text(node, "label"),
        (spins or "") if kind == "disk" else "",
    )  # fmt: skip


def _network(node: Node) -> str:
    speed = node.get("speed_mbit")
    return _joined(_text(node, "kind"), f"{speed} Mbit/s" if isinstance(speed, int) and speed > 0 else "")


def _tree(told: Any, about: Callable[[Node], str]) -> list[Device]:
    """Each device below what it stands on, a bond below its members; what stands on two is there twice.

    The machine tells who stands on whom: each is followed once, so that no circle and no lattice of them is endless.
    """
    listed = told if isinstance(told, list) else []
    nodes = {_text(node, "name"): node for node in listed if isinstance(node, dict) and _text(node, "name")}
    upper: dict[str, list[str]] = {name: [] for name in nodes}
    grounded = []
    for name, node in nodes.items():
        parents = [parent for parent in _parents(node) if parent in nodes and parent != name]
        for parent in parents:
            upper[parent].append(name)
        if not parents:
            grounded.append(name)
    found: list[Device] = []
    followed: set[str] = set()
    waiting = [(name, 0) for name in reversed([*grounded, *nodes])]
    while waiting and len(found) < MOST:
        name, depth = waiting.pop()
        if name in followed and depth == 0:
            continue
        found.append(Device(name, about(nodes[name]), min(depth, DEEPEST)))
        if name not in followed:
            followed.add(name)
            waiting += [(one, depth + 1) for one in reversed(upper[name])]
    return found


def _parents(node: Node) -> Sequence[str]:
    parents = node.get("parents")
    return [name for name in parents if isinstance(name, str)] if isinstance(parents, list) else []
