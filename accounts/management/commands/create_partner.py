"""manage.py create_partner NAME --host HOST --admin EMAIL"""

from __future__ import annotations

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.opening import Opening, open_partner
from partners.names import normal_host


class Command(BaseCommand):
    help = "Open a partner (customer): its schema, its host name and its first Admin, whose password is printed once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="schema name: a-z, 0-9 and _, a letter first")
        parser.add_argument("--host", required=True, help="host name at which this partner's portal is reached")
        parser.add_argument("--admin", required=True, metavar="EMAIL", help="e-mail of the first Admin")
        parser.add_argument("--title", default="", help="name that people read (default: NAME)")
        parser.add_argument("--operator", action="store_true", help="the platform's own partner; there is one")
        parser.add_argument("--retention-days", type=int, default=90)

    def handle(self, **options: Any) -> None:
        password = secrets.token_urlsafe(12)
        opening = Opening(
            name=options["name"], host=normal_host(options["host"]), admin_email=options["admin"],
            admin_password=password, title=options["title"], is_operator=options["operator"],
            retention_days=options["retention_days"],
        )  # fmt: skip
        try:
            partner = open_partner(opening)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self.stdout.write(f"Opened {partner.schema_name} at {opening.host}.")
        self.stdout.write(f"Admin: {opening.admin_email}  password (shown once): {password}")
