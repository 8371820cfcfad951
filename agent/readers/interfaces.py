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


class InterfaceTree:
    """Every interface looked at in every sample; what can change without its being made anew is only its master.

    An entry of sysfs that is made anew under the same name has a new inode number (fs/kernfs/dir.c), and the listing
    of the folder has them all. Where there is hardware, only its masters bear on what is counted.
    """

    def __init__(self, sys_root: str) -> None:
        self._folder = f"{sys_root}/class/net"
        self._known: dict[str, tuple[int, Interface]] = {}
        self._has_hardware = False

    def read(self) -> dict[str, Interface]:
        """Interfaces by name; OSError when sysfs is not there."""
        with os.scandir(self._folder) as entries:
            looked = {entry.name: self._look(entry) for entry in entries}
        self._known = {name: found for name, found in looked.items() if found is not None}
        found = {name: interface for name, (_, interface) in self._known.items()}
        self._has_hardware = any(interface.has_device for interface in found.values())
        return found

    def _look(self, entry: os.DirEntry[str]) -> tuple[int, Interface] | None:
        """None for a file (`bonding_masters`), and for an interface that has just gone."""
        known = self._known.get(entry.name)
        if known is not None and known[0] == entry.inode() and self._has_same_master(entry.path, known[1]):
            return known
        try:
            return entry.inode(), _read_interface(entry.path, entry.name)
        except OSError:
            return None

    def _has_same_master(self, path: str, known: Interface) -> bool:
        return (self._has_hardware and not known.has_device) or known.master == _master(path)


def read(sys_root: str) -> dict[str, Interface]:
    """Interfaces by name; OSError when sysfs is not there."""
    return InterfaceTree(sys_root).read()


def _master(path: str) -> str | None:
    try:
        return os.readlink(f"{path}/master").rsplit("/", 1)[-1]
    except OSError:
        return None


def _read_interface(path: str, name: str) -> Interface:
    entries = os.listdir(path)
    present = frozenset(entries)
    stacked = "bridge" in present or "bonding" in present or any(entry.startswith("lower_") for entry in entries)
    kind = "tun" if "tun_flags" in present else parse_kind(_text(f"{path}/uevent"))
    ifindex = _text(f"{path}/ifindex").strip()
    return Interface(name, int(ifindex) if ifindex.isdigit() else 0, "device" in present, kind, _master(path), stacked)


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
