"""Mounts from /proc/self/mountinfo, their use from statvfs (Linux Documentation/filesystems/proc.rst, 3.5)."""

from __future__ import annotations

import os
import re
import select
import threading
from typing import NamedTuple

from agent.readers.files import ParseError, Tree

STATVFS_SECONDS = 1.0
_OF_INIT = "1/mountinfo"
_QUICK = frozenset(("ext2", "ext3", "ext4", "xfs", "vfat", "f2fs"))
"""Their statfs answers from memory, without a disk or a server; every other one is asked in a thread."""
_QUICK_TO_PASS = _QUICK | {"devtmpfs", "tmpfs", "ramfs", "rootfs", "proc", "sysfs"}
_ESCAPE = re.compile(r"\\([0-7]{3})")
_PSEUDO = frozenset(
    (
        *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs"),
        *("fuse.gvfsd-fuse", "fuse.lxcfs", "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs", "overlay", "proc"),
        *(
            "pstore",
            "ramfs",
            "rootfs",
            "rpc_pipefs",
            "securityfs",
            "selinuxfs",
            "squashfs",
            "sysfs",
            "tmpfs",
            "tracefs",
        ),
    )
)


class Mount(NamedTuple):
    """One line of mountinfo. number: major:minor of the filesystem, the same for all its bind mounts."""

    number: str
    point: str
    device: str
    fstype: str


class Usage(NamedTuple):
    """Bytes and inodes as statvfs gives them."""

    mount: Mount
    total: int
    free: int
    available: int
    inodes: int
    inodes_available: int


class MountTable:
    """Mounts whose use is worth a row; read again when the kernel says that they changed (fs/proc_namespace.c)."""

    def __init__(self, proc: Tree) -> None:
        self._proc = proc
        self._poll = select.poll()
        self._name = ""
        self._watched: list[Watched] = []
        self._workers = _Workers()

    def read(self) -> dict[str, Usage]:
        """Use of each filesystem by mount point; a mount that hangs is left out."""
        if not self._name or self._poll.poll(0):
            self._rescan()
        prefix = f"{self._proc.root}/1/root" if self._name == _OF_INIT and self._proc.root != "/proc" else ""
        usages: dict[str, Usage] = {}
        for mount, is_quick in self._watched:
            ask = _ask if is_quick else self._workers.statvfs
            answer = ask(prefix + mount.point)
            if answer is not None and answer.f_blocks:
                usages[mount.point] = _usage(mount, answer)
        return usages

    def _rescan(self) -> None:
        """Of the machine's first process where we may look (a container's agent), else of our own namespace."""
        self._name = self._name or self._readable()
        mounts = parse(self._proc.text(self._name))
        self._watched = [(mount, is_quick(mount, mounts)) for mount in worth_watching(mounts)]

    def _readable(self) -> str:
        for name in (_OF_INIT, "self/mountinfo"):
            try:
                self._poll.register(self._proc.handle(name), select.POLLPRI)
            except OSError:
                continue
            return name
        raise ParseError(f"neither {self._proc.root}/1/mountinfo nor self/mountinfo can be read")


def parse(text: str) -> list[Mount]:
    return [_mount(line) for line in text.splitlines() if line]


def _mount(line: str) -> Mount:
    """`36 35 98:0 /root /point options shared:1 - ext4 /dev/sda1 rw`; the fields before the dash vary in number."""
    before, dash, after = line.partition(" - ")
    fields, source = before.split(" "), after.split(" ")
    if not dash or len(fields) < 6 or len(source) < 2:
        raise ParseError(f"mountinfo has a line that cannot be read: {line[:80]!r}")
    return Mount(fields[2], _unescape(fields[4]), _unescape(source[1]), source[0])


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match.group(1), 8)), text)


def worth_watching(mounts: list[Mount]) -> list[Mount]:
    """Without pseudo filesystems and memory; of bind mounts the shortest path; of mounts over one another the last."""
    visible = {mount.point: mount for mount in mounts}
    chosen: dict[str, Mount] = {}
    for mount in visible.values():
        if mount.fstype in _PSEUDO:
            continue
        other = chosen.get(mount.number)
        if other is None or len(mount.point) < len(other.point):
            chosen[mount.number] = mount
    return list(chosen.values())


Watched = tuple[Mount, bool]
"""A mount, and whether it may be asked without a thread."""


def is_quick(mount: Mount, mounts: list[Mount]) -> bool:
    """Whether neither the filesystem nor any on the way to it (a dead server's mount point) can hang."""
    on_the_way = (other for other in mounts if f"{mount.point}/".startswith(f"{other.point.rstrip('/')}/"))
    return mount.fstype in _QUICK and all(other.fstype in _QUICK_TO_PASS for other in on_the_way)


def _usage(mount: Mount, answer: os.statvfs_result) -> Usage:
    size = answer.f_frsize or answer.f_bsize
    return Usage(
        mount,
        answer.f_blocks * size,
        answer.f_bfree * size,
        answer.f_bavail * size,
        answer.f_files,
        answer.f_favail,
    )


class _Workers:
    """statvfs in a thread of its own, because on a dead network mount it never returns.

    A mount whose thread still hangs is not asked again until that thread has come back.
    """

    def __init__(self) -> None:
        self._hanging: dict[str, threading.Thread] = {}

    def statvfs(self, path: str) -> os.statvfs_result | None:
        hanging = self._hanging.get(path)
        if hanging is not None and hanging.is_alive():
            return None
        self._hanging.pop(path, None)
        answers: list[os.statvfs_result | None] = []
        worker = threading.Thread(target=lambda: answers.append(_ask(path)), daemon=True)
        worker.start()
        worker.join(STATVFS_SECONDS)
        if worker.is_alive():
            self._hanging[path] = worker
        return answers[0] if answers else None


def _ask(path: str) -> os.statvfs_result | None:
    try:
        return os.statvfs(path)
    except OSError:
        return None
