"""manage.py serve: the portal in the foreground."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from core import processes


class Command(BaseCommand):
    help = "Bring database and static files up to date, then serve the portal until SIGINT or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")))
        parser.add_argument("--workers", type=int, default=2)
        parser.add_argument("--threads", type=int, default=4)

    def handle(self, **options: Any) -> None:
        call_command("migrate_schemas", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        server = start(options["host"], options["port"], options["workers"], options["threads"])
        sys.exit(processes.run_until_stopped(server))


def start(
    host: str, port: int, workers: int, threads: int,
    environment: Mapping[str, str] | None = None, output: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:  # fmt: skip
    """granian as a child, on the database that this process uses."""
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port),
        "--workers", str(workers), "--blocking-threads", str(threads), "--respawn-failed-workers",
        "--no-ws", "--log-level", "warning", "core.wsgi:application",
    ]  # fmt: skip
    return processes.start(command, settings.BASE_DIR, environment, output)
