"""manage.py suspend_partner NAME [--resume]"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from partners.models import Partner


class Command(BaseCommand):
    help = "Answer 403 to everything of a partner; its data stays. --resume opens it again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--resume", action="store_true")

    def handle(self, **options: Any) -> None:
        partner = Partner.objects.filter(schema_name=options["name"]).first()
        if partner is None:
            raise CommandError(f"There is no partner {options['name']}.")
        partner.active = options["resume"]
        partner.save(update_fields=["active"])
        self.stdout.write(f"{partner.schema_name} is {'open' if partner.active else 'suspended'}.")
