"""manage.py storage [--schema NAME] [--disk FOLDER]"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from analysis import storage
from core import embedded
from core.tenancy import schema_context
from partners.models import Partner

LINE = "{:20} {:22} {:>12} {:>10} {:>10} {:>12}"


class Command(BaseCommand):
    help = "Bytes per sample of each partner and table, growth per day, and days until the disk is full."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--schema", help="only this partner")
        parser.add_argument("--disk", type=Path, help="a folder on the database's disk; the embedded one's is known")

    def handle(self, **options: Any) -> None:
        self.stdout.write(LINE.format("partner", "table", "rows", "MB", "bytes/row", "MB/day"))
        growth = sum(self._report(partner) for partner in Partner.objects.selected(options["schema"]))
        self._forecast(options["disk"], growth)

    def _report(self, partner: Partner) -> float:
        """Prints a line a table; the partner's bytes a day."""
        with schema_context(partner.schema_name):
            sizes = storage.sizes(timezone.now())
        for size in sizes:
            each = "" if size.bytes_per_row is None else f"{size.bytes_per_row:.0f}"
            row = (size.table, size.rows, f"{size.bytes / 1e6:.1f}", each, f"{size.bytes_per_day / 1e6:.3f}")
            self.stdout.write(LINE.format(partner.schema_name, *row))
        return sum(size.bytes_per_day for size in sizes)

    def _forecast(self, disk: Path | None, growth: float) -> None:
        if disk is None and settings.DATABASE_URL:
            self.stdout.write(f"{growth / 1e6:.3f} MB a day; --disk tells the days until the disk is full")
            return
        try:
            free = shutil.disk_usage(disk or embedded.locate(settings.DATA_DIR).data).free
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}") from None
        days = storage.days_until_full(free, growth)
        until = "nothing was stored in the last week" if days is None else f"full in {days:.0f} days"
        self.stdout.write(f"{free / 1e9:.1f} GB free, {growth / 1e6:.3f} MB a day: {until}")
