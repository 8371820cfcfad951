"""Mounts from /proc/self/mountinfo, their use from statvfs (Linux Documentation/filesystems/proc.rst, 3.5)."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass

from agent.readers.files import ParseError, read_text

STATVFS_SECONDS = 1.0
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


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo. number: major:minor of the filesystem, the same for all its bind mounts."""

    number: str
    point: str
    device: str
    fstype: str


@dataclass(frozen=True)
class Usage:
    """Bytes and inodes as statvfs gives them."""

    mount: Mount
    total: int
    free: int
    available: int
    inodes: int
    inodes_available: int


def read(proc_root: str) -> dict[str, Usage]:
    """Use of each filesystem that holds files of its own, once, by mount point; a mount that hangs is left out."""
    try:
        text = read_text(f"{proc_root}/1/mountinfo")
        prefix = f"{proc_root}/1/root" if proc_root != "/proc" else ""
    except OSError:
        text, prefix = read_text(f"{proc_root}/self/mountinfo"), ""
    usages: dict[str, Usage] = {}
    for mount in worth_watching(parse(text)):
        answer = _WORKERS.statvfs(prefix + mount.point)
        if answer is not None and answer.f_blocks:
            usages[mount.point] = _usage(mount, answer)
    return usages


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
        answers: list[os.statvfs_result] = []
        worker = threading.Thread(target=_ask, args=(path, answers), daemon=True)
        worker.start()
        worker.join(STATVFS_SECONDS)
        if worker.is_alive():
            self._hanging[path] = worker
        return answers[0] if answers else None


def _ask(path: str, answers: list[os.statvfs_result]) -> None:
    try:
        answers.append(os.statvfs(path))
    except OSError:
        return


_WORKERS = _Workers()
