"""Run as a program: collects samples, seals, uploads, and dies by SIGKILL at the n-th step.

One line of JSON on standard input is one life, forked from this process: spool, URL, file that notes what was
collected, first sample, count, step (0: never), before, torn or after. The answer is its exit code: 0, or -9.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from typing import Any, Callable

from agent.config import Config
from agent.spool import Spool
from agent.upload import drain

_steps = 0


def deadly(real: Callable[..., Any], fatal: int, when: str) -> Callable[..., Any]:
    """The real call, but the process dies before or after the fatal one."""

    def call(*arguments: Any, **named: Any) -> Any:
        global _steps
        _steps += 1
        mine = _steps
        if mine == fatal and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if mine == fatal and when == "torn" and real is _real_write:
            real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **named)
        if mine == fatal and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


_real_write = os.write


def arm(fatal: int, when: str) -> None:
    for name in ("open", "write", "fsync", "rename", "unlink", "ftruncate"):
        setattr(os, name, deadly(getattr(os, name), fatal, when))
    for name in ("connect", "sendall"):
        setattr(socket.socket, name, deadly(getattr(socket.socket, name), fatal, when))


def live(spool_dir: str, url: str, notes: str, first: int, count: int, fatal: int, when: str) -> None:
    log = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    if fatal:
        arm(fatal, when)
    spool = Spool(spool_dir)
    spool.open()
    for number in range(first, first + count):
        row = f"2026-01-05T12:00:{number:02d}Z,m,{number}"
        _real_write(log, f"try {row}\n".encode())
        spool.append({"system": [row], "disks": [f"{row},sda"]})
        spool.sync_if_due()
        _real_write(log, f"kept {row}\n".encode())
        if number % 2:
            spool.seal()
    spool.seal()
    drain(spool, Config(url=url, key="pfa_test_key", spool_dir=spool_dir), timeout=5)
    _real_write(log, b"finished\n")


def fork(arguments: list[Any]) -> int:
    """Exit code of one life; negative for the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            live(*arguments)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, ended = os.waitpid(pid, 0)
    return -os.WTERMSIG(ended) if os.WIFSIGNALED(ended) else os.WEXITSTATUS(ended)


def main() -> None:
    for line in sys.stdin:
        print(fork(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
