"""manage.py partitions [--schema NAME] [--dry-run]"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from analysis import partitions
from core.tenancy import schema_context
from partners.models import Partner


class Command(BaseCommand):
    help = "Make the sample tables' partitions of this month and the next three, for every partner."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--schema", help="only this partner")
        parser.add_argument("--dry-run", action="store_true", help="print what is missing, change nothing")

    def handle(self, **options: Any) -> None:
        for partner in Partner.objects.selected(options["schema"]):
            with schema_context(partner.schema_name):
                missing = partitions.plan_ahead(timezone.now())
                if not options["dry_run"]:
                    partitions.create(missing)
            verb = "would make" if options["dry_run"] else "made"
            names = ", ".join(map(str, missing)) or "nothing"
            self.stdout.write(f"{partner.schema_name}: {verb} {names}")
