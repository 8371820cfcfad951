"""What the doctor finds in the spool: whether an agent runs, what waits, what was set aside."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator

from agent import status
from agent.config import Config
from agent.doctor_finding import GOOD, NOTE, PROBLEM, Finding

_READ_ONLY_FIX = "Its disk is mounted read-only: perhaps after an error, see dmesg; mount it for writing."
_LOW_DISK_BYTES = 64 << 20


def examine(settings: Config) -> Iterator[Finding]:
    root = settings.spool_dir
    try:
        os.listdir(root)
    except FileNotFoundError:
        yield _describe_absent(root)
        return
    except NotADirectoryError:
        yield Finding(PROBLEM, f"The spool {root} is no folder.", "Give PERFAGENT_SPOOL_DIR a folder of its own.")
        return
    except OSError as error:
        yield Finding(PROBLEM, f"The spool {root} cannot be read: {error.strerror}.", "Run the doctor as root.")
        return
    yield from _check_service(settings)
    yield from _check_queue(settings)
    yield from _check_disk(root)


def _describe_absent(root: str) -> Finding:
    """It is made in the nearest folder that is there."""
    folder = os.path.dirname(root)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    if _may_write(folder):
        return Finding(NOTE, f"There is no spool {root} yet; `perfagent run` makes it.")
    return Finding(PROBLEM, f"There is no spool {root}, and this user cannot make it.", _absent_fix(folder))


def _may_write(folder: str) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _is_read_only(folder: str) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _absent_fix(folder: str) -> str:
    if _is_read_only(folder):
        return _READ_ONLY_FIX
    return "Make it as root and give it to the agent's user; under systemd that happens by itself."


def _write_fix(folder: str) -> str:
    if _is_read_only(folder):
        return _READ_ONLY_FIX
    return "Run the doctor as the agent's user; if that is this one, make the folder its own with chown."


def _check_service(settings: Config) -> Iterator[Finding]:
    root = settings.spool_dir
    if not is_locked(f"{root}/lock"):
        if not _may_write(root):
            yield Finding(PROBLEM, f"The spool {root} cannot be written by this user.", _write_fix(root))
        yield Finding(PROBLEM, "No agent runs with this spool.", "systemctl start perfagent, or: perfagent run")
        return
    code, line = status.judge(status.read(settings.spool_dir))
    level = (GOOD, PROBLEM, PROBLEM)[code]
    yield Finding(level, f"The agent runs: {line.partition(' - ')[2]}.", "" if code == status.OK else "See its log.")


def is_locked(path: str) -> bool:
    """Whether a process has the lock; the probe lets go of it at once."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _check_queue(settings: Config) -> Iterator[Finding]:
    sealed = _files(f"{settings.spool_dir}/queue", ".batch")
    aside = _files(f"{settings.spool_dir}/quarantine", "")
    if not sealed:
        yield Finding(GOOD, "The spool is empty: everything measured was sent.")
    else:
        size, oldest = sum(info.st_size for info in sealed), min(info.st_mtime for info in sealed)
        share = size / (settings.spool_max_mb * 1_048_576)
        text = f"{len(sealed)} batches wait ({size / 1_048_576:.1f} MB, {share:.0%} of the limit), the oldest since "
        text += f"{(time.time() - oldest) / 3600:.1f} h."
        full = Finding(PROBLEM, text, "Nothing is lost yet. Set right what the portal's findings below say.")
        yield full if share > 0.5 else Finding(NOTE, text)
    if aside:
        yield Finding(
            NOTE, f"Files in quarantine, refused by the portal or damaged: {len(aside)}.",
            f"The log says why. Look at {settings.spool_dir}/quarantine, then remove them.",
        )  # fmt: skip


def _files(folder: str, suffix: str) -> list[os.stat_result]:
    try:
        with os.scandir(folder) as entries:
            return [entry.stat() for entry in entries if entry.name.endswith(suffix)]
    except OSError:
        return []


def _check_disk(root: str) -> Iterator[Finding]:
    usage = os.statvfs(root)
    free = usage.f_bavail * usage.f_frsize
    if free < _LOW_DISK_BYTES or (usage.f_files and not usage.f_favail):
        yield Finding(PROBLEM, f"The disk of {root} has {free / 1_048_576:.0f} MB left.", "Make room on it.")
