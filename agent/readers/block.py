"""/sys/class/block: what each block device is (Linux Documentation/ABI/stable/sysfs-block).

Names do not tell: `sdaa1` is a partition, `mmcblk0` and `nvme0c0n1` are not. The kernel's own tree does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable

RESCAN_SECONDS = 300.0
_MEMORY_BACKED = ("loop", "ram", "zram")


@dataclass(frozen=True)
class BlockDevice:
    """parent: the disk of a partition. hidden: one path of a multipath NVMe device, counted at its head."""

    name: str
    virtual: bool = False
    parent: str | None = None
    hidden: bool = False
    slaves: tuple[str, ...] = ()

    @property
    def memory_backed(self) -> bool:
        return self.name.rstrip("0123456789") in _MEMORY_BACKED


def read(sys_root: str) -> dict[str, BlockDevice]:
    """Devices by their name in /proc/diskstats; OSError when sysfs is not there."""
    folder = f"{sys_root}/class/block"
    devices = (_read_device(folder, name) for name in os.listdir(folder))
    return {device.name: device for device in devices}


class BlockTree:
    """The devices, read again when another set of names is there, and every few minutes: a dm device can be moved."""

    def __init__(self, sys_root: str, seconds: Callable[[], float] = time.monotonic) -> None:
        self._root = sys_root
        self._seconds = seconds
        self._names: tuple[str, ...] | None = None
        self._read_at = 0.0
        self._devices: dict[str, BlockDevice] = {}

    def read(self, names: Iterable[str]) -> dict[str, BlockDevice]:
        """names: those of /proc/diskstats, in the kernel's order. OSError when sysfs is not there."""
        seen = tuple(names)
        if seen != self._names or self._seconds() - self._read_at > RESCAN_SECONDS:
            self._devices = read(self._root)
            self._names, self._read_at = seen, self._seconds()
        return self._devices


def _read_device(folder: str, entry: str) -> BlockDevice:
    path = f"{folder}/{entry}"
    target = _link(path)
    is_partition = os.path.exists(f"{path}/partition")
    hidden = not is_partition and _flag(f"{path}/hidden")
    virtual = "/devices/virtual/block/" in target
    slaves = tuple(_names(f"{path}/slaves")) if virtual else ()
    return parse(entry, target, is_partition, hidden, slaves)


def parse(
    entry: str, target: str, is_partition: bool = False, hidden: bool = False, slaves: tuple[str, ...] = ()
) -> BlockDevice:
    """entry: the name in sysfs, where `!` stands for the `/` of `cciss/c0d0`. target: where its link leads."""
    parent = target.rsplit("/", 2)[-2] if is_partition and target.count("/") > 1 else None
    return BlockDevice(
        entry.replace("!", "/"),
        virtual="/devices/virtual/block/" in target,
        parent=parent.replace("!", "/") if parent else None,
        hidden=hidden,
        slaves=tuple(name.replace("!", "/") for name in slaves),
    )


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _flag(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(1) == b"1"
    except OSError:
        return False


def _names(folder: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(folder)))
    except OSError:
        return ()
