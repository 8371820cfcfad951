"""A real portal for tests: granian on an embedded PostgreSQL of its own, with the cast of two partners.

Run as `python -m tests.live.portal_process PORT WORKERS` with DATA_DIR set; prints one line of JSON when it serves.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "core.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from core import embedded, processes
    from core.management.commands import serve
    from tests.cast import PASSWORD, open_cast

    port, workers = int(sys.argv[1]), int(sys.argv[2])
    with embedded.running(Path(settings.DATA_DIR)) as cluster:
        call_command("migrate_schemas", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        casts = [*map(open_cast, ("alpha", "beta")), open_cast("operator", is_operator=True)]
        server = serve.start("127.0.0.1", port, workers=workers, threads=4)
        _wait_until_it_answers(port)
        keys = {cast.schema: cast.key for cast in casts}
        ready = {"password": PASSWORD, "keys": keys, "socket": str(cluster.socket)}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        processes.run_until_stopped(server)


def _wait_until_it_answers(port: int) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise SystemExit("the portal did not answer")


if __name__ == "__main__":
    main()
