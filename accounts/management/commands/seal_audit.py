"""manage.py seal_audit [--schema S]"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import seals
from core.tenancy import schema_context
from partners.models import Partner


class Command(BaseCommand):
    help = "Add the newest audit events to each partner's hash chain, and print its head; `work` does it too."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--schema", help="one partner's schema name (default: all)")

    def handle(self, **options: Any) -> None:
        try:
            partners = list(Partner.objects.selected(options["schema"]))
        except Partner.DoesNotExist:
            raise CommandError(f"There is no partner {options['schema']}.") from None
        for partner in partners:
            with schema_context(partner.schema_name):
                count, head = seals.seal(), seals.head()
            self.stdout.write(f"{partner.schema_name}: {count} events sealed, head {head}")
