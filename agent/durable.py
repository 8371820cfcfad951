"""Files that are there after a crash: written aside, fsynced, renamed, and the folder fsynced too."""

from __future__ import annotations

import os

TEMPORARY = ".tmp"


def sync_folder(path: str) -> None:
    """Makes names created, renamed or removed in the folder last."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def write_file(path: str, data: bytes) -> None:
    """Whole or not at all, readable by its owner only."""
    temporary = f"{path}.{os.getpid()}{TEMPORARY}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
    rename(temporary, path)


def rename(source: str, target: str) -> None:
    os.rename(source, target)
    sync_folder(os.path.dirname(target))


def remove(path: str) -> None:
    """A file that is gone already is no error: two drains may have had the same answer."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_folder(os.path.dirname(path))
