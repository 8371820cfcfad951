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
    try:
        _write(temporary, data)
    except OSError:
        remove(temporary)
        raise
    rename(temporary, path)


def _write(path: str, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def rename(source: str, target: str) -> None:
    os.rename(source, target)
    sync_folder(os.path.dirname(target))


def remove(path: str) -> None:
    """A file that is gone already is no error: two drains may have had the same answer.

    Nor is a folder that cannot be synced: the file may come back after a power cut, and what is sent twice is stored
    once.
    """
    try:
        os.unlink(path)
        sync_folder(os.path.dirname(path))
    except FileNotFoundError:
        return
    except OSError:
        if os.path.lexists(path):
            raise
