"""manage.py close_partner NAME (--deactivate | --dump FILE | --drop FILE)"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from partners import closing
from partners.models import Partner


class Command(BaseCommand):
    help = "Close a partner, one explicit step a call: --deactivate, then --dump FILE, then --drop FILE."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        step = parser.add_mutually_exclusive_group(required=True)
        step.add_argument("--deactivate", action="store_true", help="answer 403 to everything; the data stays")
        step.add_argument("--dump", type=Path, metavar="FILE", help="write the schema to FILE (pg_dump, custom format)")
        step.add_argument("--drop", type=Path, metavar="FILE", help="drop the schema that was dumped to FILE")

    def handle(self, **options: Any) -> None:
        partner = Partner.objects.filter(schema_name=options["name"]).first()
        if partner is None:
            raise CommandError(f"There is no partner {options['name']}.")
        try:
            self.stdout.write(_step(partner, options))
        except closing.ClosingError as error:
            raise CommandError(str(error)) from None


def _step(partner: Partner, options: dict[str, Any]) -> str:
    name = partner.schema_name
    if options["deactivate"]:
        closing.deactivate(partner)
        return f"{name} is deactivated. Next: close_partner {name} --dump FILE"
    if options["dump"]:
        archive = closing.dump(partner, options["dump"])
        return f"{name} is dumped to {archive}. Next: close_partner {name} --drop {archive}"
    closing.drop(partner, options["drop"])
    return f"{name} is dropped. Its dump stays at {options['drop']}."
