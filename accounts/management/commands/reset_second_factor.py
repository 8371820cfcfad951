"""manage.py reset_second_factor SCHEMA EMAIL"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import factors
from accounts.models import User
from core.tenancy import schema_context
from partners.models import Partner


class Command(BaseCommand):
    help = "Remove the second factors of somebody who lost them, such as an only Admin, and sign them out everywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="schema name of the partner")
        parser.add_argument("email")

    def handle(self, **options: Any) -> None:
        if not Partner.objects.filter(schema_name=options["name"]).exists():
            raise CommandError(f"There is no partner {options['name']}.")
        with schema_context(options["name"]):
            user = User.objects.filter(email=options["email"].strip().lower()).first()
            if user is None:
                raise CommandError(f"There is no account {options['email']} at {options['name']}.")
            had = factors.has_any(user)
            factors.reset(user, actor="", ip=None)
        self.stdout.write("Removed; signed out everywhere." if had else "There was none.")
