"""Many partners: time to make one, a migrate of all that changes nothing, and the latency of an upload at each number.

Usage: python -m bench.tenants [--tenants 20] [--steps 4] [--uploads 200]. A thousand are the number of the goals: one
made in under 3 s, the migrate in under 60 s, and a latency that does not grow beside that of bare statements.
"""

from __future__ import annotations

import argparse
import itertools
import socket
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import portals
from bench.portals import Machine, percentile
from bench.upload import bare_jobs, exchange, http_request
from tests.live.portal import RunningPortal, running_portal

MADE_GOAL_S, MIGRATE_GOAL_S = 3.0, 60.0
WARM_PASSES = 4
"""Each of the portal's connections meets most partners."""


def make(first: int, last: int) -> tuple[list[float], list[Machine]]:
    """Seconds that each new partner took, and a machine of each."""
    seconds, machines = [], []
    for number in range(first, last):
        begun = time.perf_counter()
        portals.open_partner(f"bench{number}")
        seconds.append(time.perf_counter() - begun)
        machines += portals.register(f"bench{number}", 1)
    return seconds, machines


def upload(portal: RunningPortal, machines: list[Machine], numbers: range) -> list[float]:
    """Latencies in ms of one client that goes from partner to partner."""
    requests = [http_request(machines[number % len(machines)], number) for number in numbers]
    latencies = []
    with socket.create_connection(("127.0.0.1", portal.port), timeout=30) as wire:
        for request in requests:
            begun = time.perf_counter()
            exchange(wire, request)
            latencies.append((time.perf_counter() - begun) * 1000)
    return latencies


def migrate() -> float:
    from django.core.management import call_command

    begun = time.perf_counter()
    call_command("migrate_schemas", verbosity=0)
    return time.perf_counter() - begun


def bare(portal: RunningPortal, machines: list[Machine], numbers: range) -> float:
    """Median latency in ms of the same statements on one bare connection: how busy the machine is just now."""
    with bare_jobs(portal, machines, numbers) as jobs:
        latencies = []
        for job in jobs:
            begun = time.perf_counter()
            job()
            latencies.append((time.perf_counter() - begun) * 1000)
    return statistics.median(latencies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=20)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--uploads", type=int, default=200, help="at each step")
    options = parser.parse_args()
    seconds: list[float] = []
    machines: list[Machine] = []
    ratios: list[float] = []
    numbers = itertools.count(step=WARM_PASSES * options.tenants + options.uploads)
    with running_portal(workers=2) as portal:
        portals.connect(portal)
        for step in range(1, options.steps + 1):
            made, new = make(len(machines), options.tenants * step // options.steps)
            seconds, machines = seconds + made, machines + new
            first, warm = next(numbers), WARM_PASSES * len(machines)
            upload(portal, machines, range(first, first + warm))  # from here on every host and table is known
            latencies = upload(portal, machines, range(first + warm, first + warm + options.uploads))
            yardstick = bare(portal, machines[:1], range(next(numbers), next(numbers))[: options.uploads])
            median, p95 = statistics.median(latencies), percentile(latencies, 95)
            ratios.append(median / yardstick)
            print(
                f"{len(machines):5} partners   upload median {median:5.1f} ms   p95 {p95:5.1f} ms"
                f"   bare {yardstick:5.1f} ms   ratio {ratios[-1]:.2f}", flush=True,
            )  # fmt: skip
        unchanged = migrate()
    each = unchanged / (len(machines) + 2)
    print(
        f"one partner made in {statistics.median(seconds):.2f} s, the slowest {max(seconds):.2f} s"
        f" (goal {MADE_GOAL_S:.0f} s), of the last ten {statistics.median(seconds[-10:]):.2f} s"
    )
    print(f"migrate, nothing to do: {unchanged:.1f} s; a thousand {each * 1000:.0f} s (goal {MIGRATE_GOAL_S:.0f} s)")
    print(f"ratio with {len(machines)} partners ÷ with {len(machines) // options.steps}: {ratios[-1] / ratios[0]:.2f}")


if __name__ == "__main__":
    main()
