"""manage.py verify_audit [--schema S [--expect HEAD]]"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import seals
from core.tenancy import schema_context
from partners.models import Partner


class Command(BaseCommand):
    help = "Check each partner's audit log against its hash chain; fails when an event was changed or removed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--schema", help="one partner's schema name (default: all)")
        parser.add_argument("--expect", default="", metavar="HEAD", help="a head noted earlier; needs --schema")

    def handle(self, **options: Any) -> None:
        if options["expect"] and not options["schema"]:
            raise CommandError("--expect is about one partner: name it with --schema.")
        try:
            partners = list(Partner.objects.selected(options["schema"]))
        except Partner.DoesNotExist:
            raise CommandError(f"There is no partner {options['schema']}.") from None
        broken = [name for name in (partner.schema_name for partner in partners) if not self._verify(name, **options)]
        if broken:
            raise CommandError(f"The audit log does not match its chain: {', '.join(broken)}.")

    def _verify(self, schema_name: str, *, expect: str, **_: Any) -> bool:
        with schema_context(schema_name):
            verdict = seals.verify(expect)
        for problem in verdict.problems:
            self.stdout.write(f"{schema_name}: {problem}")
        state = "broken" if verdict.problems else "intact"
        self.stdout.write(
            f"{schema_name}: {state}, {verdict.sealed} events sealed, {verdict.waiting} waiting, head {verdict.head}"
        )
        return not verdict.problems
