"""/sys/class/net: what each network interface is (Linux Documentation/ABI/testing/sysfs-class-net)."""

from __future__ import annotations

import os
from dataclasses import dataclass

_STACKED_TYPES = frozenset(("bond", "bridge", "vlan", "macvlan", "macvtap", "ipvlan", "team", "vxlan", "geneve", "gre"))
_TUNNEL_TYPES = frozenset(("wireguard", "ppp", "vti", "xfrm", "tun"))
_IDLE_NAMES = (
    "dummy",
    "ifb",
    "sit",
    "tunl",
    "gre",
    "gretap",
    "erspan",
    "ip6tnl",
    "ip6_vti",
    "ip_vti",
    "ip6gre",
    "nlmon",
)


@dataclass(frozen=True)
class Interface:
    """has_device: hardware (or a hypervisor's) stands behind it. master: the bond or bridge that it is a port of."""

    name: str
    ifindex: int = 0
    has_device: bool = False
    kind: str = ""
    master: str | None = None
    stacked: bool = False

    @property
    def loopback(self) -> bool:
        return self.name == "lo"

    @property
    def endpoint(self) -> bool:
        """Counts traffic that no other interface counts too: the eth0 of a container, not a bridge or tunnel."""
        doubled = self.loopback or self.stacked or self.master is not None
        idle = self.name.rstrip("0123456789") in _IDLE_NAMES
        return not (doubled or idle or self.kind in _STACKED_TYPES or self.kind in _TUNNEL_TYPES)


def read(sys_root: str) -> dict[str, Interface]:
    """Interfaces by name; OSError when sysfs is not there."""
    folder = f"{sys_root}/class/net"
    found = (_read_interface(folder, name) for name in os.listdir(folder) if os.path.isdir(f"{folder}/{name}"))
    return {interface.name: interface for interface in found}


def _read_interface(folder: str, name: str) -> Interface:
    path = f"{folder}/{name}"
    entries = os.listdir(path)
    present = frozenset(entries)
    stacked = "bridge" in present or "bonding" in present or any(entry.startswith("lower_") for entry in entries)
    kind = "tun" if "tun_flags" in present else parse_kind(_text(f"{path}/uevent"))
    master = os.readlink(f"{path}/master").rsplit("/", 1)[-1] if "master" in present else None
    ifindex = _text(f"{path}/ifindex").strip()
    return Interface(name, int(ifindex) if ifindex.isdigit() else 0, "device" in present, kind, master, stacked)


def parse_kind(uevent: str) -> str:
    """DEVTYPE of a uevent file: bridge, bond, vlan, wlan, wireguard …; empty for plain Ethernet."""
    for line in uevent.splitlines():
        if line.startswith("DEVTYPE="):
            return line[len("DEVTYPE=") :]
    return ""


def _text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(4096).decode("ascii", "replace")
    except OSError:
        return ""
