"""Work on connections of its own: it is committed, and others see it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connection

from core.tenancy import schema_context
from partners.models import Partner
from tests.cast import open_cast

RACERS = "racers"
"""A partner of its own: what is committed stays, and the audit log of the others must not grow by it."""


def apart(work: Callable[[], object], workers: int = 1, schema: str = RACERS) -> list[object]:
    """What each of so many workers returns, who begin together, each in a thread with a connection of its own."""
    together, results = threading.Barrier(workers), []

    def run() -> None:
        try:
            with schema_context(schema):
                together.wait(10)
                results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def open_racers() -> None:
    apart(lambda: open_cast(RACERS) and None, schema="public")


def close_racers() -> None:
    apart(lambda: Partner.objects.get(schema_name=RACERS).delete(force_drop=True), schema="public")
