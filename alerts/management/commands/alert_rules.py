"""manage.py alert_rules --schema S (--export [FILE] | --import FILE)"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alerts import handling
from alerts.rules_file import RulesFileError
from core.tenancy import schema_context
from partners.models import Partner


class Command(BaseCommand):
    help = "Write a partner's alert rules as YAML, or take them over from such a file: all of them or none."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--schema", required=True, help="the partner")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--export", nargs="?", const="-", metavar="FILE", help="a new file; without, standard output")
        what.add_argument("--import", dest="source", metavar="FILE", help="YAML; - is standard input")

    def handle(self, **options: Any) -> None:
        try:
            partner = Partner.objects.get(schema_name=options["schema"])
        except Partner.DoesNotExist:
            raise CommandError(f"There is no partner {options['schema']}.") from None
        with schema_context(partner.schema_name):
            if options["source"]:
                self._import(options["source"])
            else:
                self._export(options["export"])

    def _export(self, target: str) -> None:
        text = handling.export_rules()
        if target == "-":
            self.stdout.write(text, ending="")
            return
        try:
            with Path(target).open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise CommandError(f"{target}: {error.strerror}.") from None

    def _import(self, source: str) -> None:
        try:
            text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
            taken = handling.import_rules(text, actor="manage.py", ip=None)
        except RulesFileError as error:
            raise CommandError("Nothing was taken over.\n" + "\n".join(error.mistakes)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{source} cannot be read: {error}.") from None
        self.stdout.write(f"{len(taken)} rules taken over.")
