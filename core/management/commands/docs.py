"""manage.py docs [--check]"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core import documents


class Command(BaseCommand):
    help = "Write the pages of docs/ that are generated from the code; --check only compares."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail when a page is out of date, write nothing")

    def handle(self, **options: Any) -> None:
        stale = []
        for name, text in documents.pages().items():
            path = settings.BASE_DIR / "docs" / name
            if path.exists() and path.read_text() == text:
                continue
            stale.append(name)
            if not options["check"]:
                path.write_text(text)
        if options["check"] and stale:
            raise CommandError(f"Out of date: {', '.join(stale)}. Run `make docs`.")
        self.stdout.write("docs: " + (f"wrote {', '.join(stale)}" if stale else "up to date"))
