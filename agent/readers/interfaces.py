"""/sys/class/net: what each network interface is (Linux Documentation/ABI/testing/sysfs-class-net)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
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
    of the folder has them all. Where there is hardware, only masters among it bear on what is counted.
    """

    def __init__(self, sys_root: str) -> None:
        self._folder = f"{sys_root}/class/net"
        self._inodes: dict[str, int] = {}
        self._masters: list[tuple[str, str | None]] = []
        self._found: dict[str, Interface] = {}

    def read(self) -> dict[str, Interface]:
        """Interfaces by name, the very same object until one changes; OSError when sysfs is not there."""
        with os.scandir(self._folder) as entries:
            inodes = {entry.name: entry.inode() for entry in entries if not entry.is_file(follow_symlinks=False)}
        if inodes != self._inodes or any(_master(path) != master for path, master in self._masters):
            self._found = _read_interfaces(self._folder, inodes)
            self._masters = list(self._bearing_masters())
            self._inodes = {name: inodes[name] for name in self._found}
        return self._found

    def _bearing_masters(self) -> Iterator[tuple[str, str | None]]:
        """A single piece of hardware can be no port of another."""
        hardware = [interface for interface in self._found.values() if interface.has_device]
        for interface in hardware if len(hardware) > 1 else () if hardware else self._found.values():
            yield f"{self._folder}/{interface.name}/master", interface.master


def read(sys_root: str) -> dict[str, Interface]:
    """Interfaces by name; OSError when sysfs is not there."""
    return InterfaceTree(sys_root).read()


def _read_interfaces(folder: str, names: Iterable[str]) -> dict[str, Interface]:
    """Without those that have just gone."""
    found: dict[str, Interface] = {}
    for name in names:
        with contextlib.suppress(OSError):
            found[name] = _read_interface(f"{folder}/{name}", name)
    return found


def _master(path: str) -> str | None:
    """path: of the link. Asked for first, because an exception costs more, and most interfaces have no master."""
    if not os.access(path, os.F_OK, follow_symlinks=False):
        return None
    try:
        return os.readlink(path).rsplit("/", 1)[-1]
    except OSError:
        return None


def _read_interface(path: str, name: str) -> Interface:
    entries = os.listdir(path)
    present = frozenset(entries)
    stacked = "bridge" in present or "bonding" in present or any(entry.startswith("lower_") for entry in entries)
    kind = "tun" if "tun_flags" in present else parse_kind(_text(f"{path}/uevent"))
    ifindex = _text(f"{path}/ifindex").strip()
    return Interface(
        name, int(ifindex) if ifindex.isdigit() else 0, "device" in present, kind, _master(f"{path}/master"), stacked
    )


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
