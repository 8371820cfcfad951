"""Work on connections of its own: it is committed, and others see it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connection

from core.tenancy import schema_context


def apart(schema: str, work: Callable[[], object], workers: int = 1) -> list[object]:
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
