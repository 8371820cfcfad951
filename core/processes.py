"""Child processes that end with their parent, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO

STOP_SECONDS = 20
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent(number: signal.Signals) -> None:
    """In a child, before exec: be sent `number` when the parent dies, even by kill -9 (prctl(2), PR_SET_PDEATHSIG)."""
    _libc.prctl(_PR_SET_PDEATHSIG, number.value)


def start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None, output: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """A child in a session and group of its own (Ctrl-C reaches only us), with SIGTERM when we die."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=lambda: die_with_parent(signal.SIGTERM),
    )


def stop(process: subprocess.Popen[bytes], seconds: float = STOP_SECONDS) -> None:
    """SIGTERM; then SIGKILL for it, if it does not end in time, and for what it has started and left behind."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def interrupt_on_terminate() -> None:
    """SIGTERM becomes KeyboardInterrupt, as Ctrl-C is, so that `finally` blocks run."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def run_until_stopped(process: subprocess.Popen[bytes]) -> int:
    """Wait for the child; SIGINT or SIGTERM to us stops it. Returns its exit code, 0 when we were told to stop."""
    interrupt_on_terminate()
    try:
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop(process)
