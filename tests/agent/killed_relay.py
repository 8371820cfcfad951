"""Run as a program: the relay, which dies by SIGKILL before or after its n-th step on disk or network (0: never)."""

from __future__ import annotations

import os
import sys

from agent import backoff, forward, relay
from agent.config import load

from tests.agent.killed import arm


def main() -> None:
    step, when = sys.argv[1:]
    vars(forward)[backoff.backoff_seconds.__name__] = lambda *_: 0.05
    if int(step):
        arm(int(step), when)
    relay.serve(load(os.environ))


if __name__ == "__main__":
    main()
