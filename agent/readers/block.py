"""/sys/class/block: what each block device is (Linux Documentation/ABI/stable/sysfs-block).

Names do not tell: `sdaa1` is a partition, `mmcblk0` and `nvme0c0n1` are not. The kernel's own tree does.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

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
