"""The device tree: which disk a partition, md or dm device stands on, and which card a bond, bridge or VLAN."""

from __future__ import annotations

import os
from dataclasses import dataclass

from agent.readers import block, interfaces
from agent.readers.block import BlockDevice
from agent.readers.files import clean_name, read_text

_SECTORS_PER_MIB = 2048


@dataclass(frozen=True)
class BlockNode:
    """kind: disk, partition, md, dm, or the driver of another virtual device. parents: what it stands on."""

    name: str
    kind: str
    size_mb: float | None = None
    model: str = ""
    rotational: bool | None = None
    parents: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True)
class NetworkNode:
    """kind: physical, or what the kernel calls it (bond, bridge, vlan …). parents: what it stands on."""

    name: str
    kind: str
    speed_mbit: int | None = None
    mtu: int | None = None
    parents: tuple[str, ...] = ()
    master: str = ""


def block_nodes(sys_root: str) -> tuple[BlockNode, ...]:
    """Without empty loop, ram and zram devices. OSError when sysfs is not there."""
    devices = block.read(sys_root)
    nodes = (
        _block_node(f"{sys_root}/class/block/{name.replace('/', '!')}", device) for name, device in devices.items()
    )
    return tuple(sorted((node for node in nodes if node.size_mb != 0), key=lambda node: node.name))


def _block_node(path: str, device: BlockDevice) -> BlockNode:
    sectors = _word(f"{path}/size")
    rotational = _word(f"{path}/queue/rotational")
    return BlockNode(
        clean_name(device.name),
        _block_kind(device),
        int(sectors) / _SECTORS_PER_MIB if sectors.isdigit() else None,
        clean_name(_word(f"{path}/device/model")),
        rotational == "1" if rotational else None,
        (device.parent,) if device.parent else device.slaves,
        clean_name(_word(f"{path}/dm/name") or _word(f"{path}/md/level")),
    )


def _block_kind(device: BlockDevice) -> str:
    if device.parent:
        return "partition"
    driver = device.name.rstrip("0123456789").rstrip("-")
    return driver if device.virtual else "disk"


def network_nodes(sys_root: str) -> tuple[NetworkNode, ...]:
    """OSError when sysfs is not there."""
    folder = f"{sys_root}/class/net"
    found = interfaces.read(sys_root).values()
    return tuple(sorted((_network_node(f"{folder}/{one.name}", one) for one in found), key=lambda node: node.name))


def _network_node(path: str, interface: interfaces.Interface) -> NetworkNode:
    entries = os.listdir(path)
    lower = sorted(entry[len("lower_") :] for entry in entries if entry.startswith("lower_"))
    speed, mtu = _word(f"{path}/speed"), _word(f"{path}/mtu")
    plain = "physical" if interface.has_device else "virtual"
    return NetworkNode(
        clean_name(interface.name),
        interface.kind or ("loopback" if interface.loopback else plain),
        int(speed) if speed.isdigit() else None,
        int(mtu) if mtu.isdigit() else None,
        tuple(map(clean_name, lower)),
        clean_name(interface.master or ""),
    )


def _word(path: str) -> str:
    """The one line of a sysfs attribute; empty where there is none."""
    try:
        return read_text(path).strip()
    except OSError:
        return ""
