"""Fleet and Machine as a person meets them: server time over HTTP, and the time until Chromium has painted.

Usage: python -m bench.pages [--machines 100] [--days 90] [--many 1000]. Goals: the fleet of 100 machines in 150 ms at
the server and painted within a second; a machine's charts of 24 h drawn within two; a fleet of 1,000 usable.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Browser, Page

from bench.filling import PLAIN, SCHEMA, filled_portal, midnight
from bench.series import roll_up_everything
from core.catalogue import DATASETS, SYSTEM
from tests.live.portal import RunningPortal
from tests.portal.browsing import chromium, visit

ROUNDS = 15
SERVER_MS, PAINTED_MS, CHARTS_MS = 150.0, 1000.0, 2000.0
SPARSE = timedelta(minutes=10)
ROWS = "document.querySelectorAll('.machines tbody tr').length > 0"
CHARTS = """[...document.querySelectorAll('.panel')]
    .filter((panel) => { const box = panel.getBoundingClientRect(); return box.height && box.top < innerHeight; })
    .every((panel) => panel.querySelector('canvas'))"""

_UNTIL = """new Promise((done) => {
    const look = () => requestAnimationFrame(() => (document.body && (%s)) ? done(performance.now()) : look());
    look();
})"""


def fill_today(names: str, step: timedelta) -> None:
    """From yesterday's end until now, at that step, for the machines of that prefix; each is live, with filesystems."""
    from django.db import connection

    now, start = datetime.now(UTC), midnight() if step < SPARSE else datetime.now(UTC) - timedelta(days=1)
    values = ", ".join("((random() * 10000)::int / 100.0)::real" for _ in PLAIN)
    columns = ", ".join(f'"{name}"' for name in PLAIN)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE collectors_collector SET last_seen = %s WHERE machine_id LIKE %s", [now, f"{names}%"])
        cursor.execute(
            f'INSERT INTO "{SYSTEM.table}" (collector_id, "timestamp", {columns}) SELECT id, at, {values}'
            " FROM collectors_collector, generate_series(%s::timestamptz, %s::timestamptz, %s::interval) at"
            " WHERE machine_id LIKE %s",
            [start, now - timedelta(minutes=1), f"{step.total_seconds()} s", f"{names}%"],
        )
        cursor.execute(
            f'INSERT INTO "{DATASETS["filesystems"].table}" (collector_id, "timestamp", mount, used_percent)'
            " SELECT id, %s, mount, random() * 100 FROM collectors_collector, unnest(ARRAY['/', '/var', '/srv']) mount"
            " WHERE machine_id LIKE %s",
            [now - timedelta(minutes=1), f"{names}%"],
        )


def add_machines(count: int) -> None:
    """More machines with a day of samples each, so that the page has something to sort and draw."""
    from collectors.models import Collector

    Collector.objects.bulk_create(Collector(machine_id=f"more{number:04}") for number in range(count))
    fill_today("more", SPARSE)


def served(portal: RunningPortal, cookie: str, path: str) -> tuple[float, int]:
    """Median milliseconds and the bytes of the answer."""
    times, size = [], 0
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        answer = portal.request(SCHEMA, "GET", path, headers={"Cookie": cookie})
        times.append((time.perf_counter() - begun) * 1000)
        assert answer.status == 200, answer.body[:300]
        size = len(answer.body)
    return statistics.median(times), size


def painted(page: Page, url: str, ready: str) -> float:
    """Median milliseconds from the click until `ready` holds and the next frame is on screen."""
    times = []
    for _ in range(5):
        page.goto(url, wait_until="commit")
        times.append(page.evaluate(_UNTIL % ready))
    return float(statistics.median(times))


def tell(name: str, milliseconds: float, goal: float, more: str = "") -> None:
    verdict = "met" if milliseconds < goal else "missed"
    print(f"{name:44} {milliseconds:8.0f} ms   goal {goal:.0f} ms: {verdict}{more}")


def measure(portal: RunningPortal, browser: Browser, title: str, path: str, ready: str, goal: float) -> None:
    milliseconds, size = served(portal, portal.sign_in(SCHEMA, "admin"), path)
    tell(f"{title}, server", milliseconds, SERVER_MS, f"   {size / 1024:.0f} KB")
    with visit(browser, portal, SCHEMA) as found:
        found.sign_in("admin")
        tell(f"{title}, painted", painted(found.page, portal.url(SCHEMA) + path, ready), goal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--many", type=int, default=1000, help="machines of the large fleet")
    options = parser.parse_args()
    with filled_portal(options.machines, options.days) as portal:
        from analysis import rollups
        from core.tenancy import schema_context

        with schema_context(SCHEMA):
            fill_today("bench", timedelta(minutes=1))
            roll_up_everything(options.days)
            rollups.refresh(datetime.now(UTC))  # today's hours, too, as the worker does
        with chromium() as browser:  # nothing of Django's database meanwhile: Playwright has an event loop
            pages(portal, browser, options.machines)
        with schema_context(SCHEMA):
            add_machines(options.many - options.machines)
        with chromium() as browser:
            measure(portal, browser, f"Fleet of {options.many:,}", "/?sort=cpu", ROWS, PAINTED_MS)


def pages(portal: RunningPortal, browser: Browser, machines: int) -> None:
    measure(portal, browser, f"Fleet of {machines}", "/", ROWS, PAINTED_MS)
    for span in ("24h", "90d"):
        measure(portal, browser, f"Machine, {span}", f"/machines/bench000?range={span}", CHARTS, CHARTS_MS)


if __name__ == "__main__":
    main()
