"""Child processes: whoever stops one ends what it has started, too."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core import processes

CHILD = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, {on_terminate})
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid, flush=True)
time.sleep(60)
"""


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def has_ended(process: psutil.Process) -> bool:
    """A zombie too: it waits only for whoever inherits orphans here."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("on_terminate", ["signal.SIG_IGN", "signal.SIG_DFL"], ids=["stuck", "leaves its child behind"])
def test_a_stop_ends_what_the_child_has_started(tmp_path: Path, on_terminate: str) -> None:
    said = tmp_path / "said"
    with said.open("wb") as output:
        child = processes.start(
            [sys.executable, "-c", CHILD.format(on_terminate=on_terminate)], tmp_path, output=output
        )
    wait_for(lambda: said.read_text().endswith("\n"))
    below = psutil.Process(int(said.read_text()))
    try:
        processes.stop(child, 0.5)
        assert child.returncode is not None
        wait_for(lambda: has_ended(below))
    finally:
        if not has_ended(below):
            below.kill()
