"""manage.py retention [--schema NAME] [--dry-run]"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from analysis import partitions, retention
from core.batch import format_timestamp
from core.tenancy import schema_context
from partners.models import Partner


class Command(BaseCommand):
    help = "Delete samples older than each partner keeps: whole months dropped, the boundary month in small steps."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--schema", help="only this partner")
        parser.add_argument("--dry-run", action="store_true", help="print what would go, change nothing")

    def handle(self, **options: Any) -> None:
        for partner in Partner.objects.selected(options["schema"]):
            with schema_context(partner.schema_name):
                self._apply(partner, dry_run=options["dry_run"])

    def _apply(self, partner: Partner, *, dry_run: bool) -> None:
        plan = retention.plan(timezone.now(), partner.retention_days)
        would = "would " if dry_run else ""
        self.stdout.write(f"{partner.schema_name}: keeps from {format_timestamp(plan.cutoff)}")
        for partition in plan.drop:
            if not dry_run:
                partitions.drop(partition)
            self.stdout.write(f"  {would}drop {partition}")
        for partition in plan.trim:
            gone = "rows" if dry_run else f"{retention.trim(partition, plan.cutoff)} rows"
            self.stdout.write(f"  {would}delete {gone} of {partition} before {format_timestamp(plan.cutoff)}")
