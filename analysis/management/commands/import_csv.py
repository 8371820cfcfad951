"""manage.py import_csv FILE --schema NAME [--dataset NAME] [--register]"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from analysis import bulk, retention
from core.batch import BatchError
from core.catalogue import DATASETS
from core.errors import ServiceError
from core.tenancy import schema_context
from partners.models import Partner


class Command(BaseCommand):
    help = "Store a CSV file of many machines, of any size, exactly once and in flat memory."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--schema", required=True, help="the partner")
        parser.add_argument("--dataset", choices=list(DATASETS), default="system")
        parser.add_argument("--register", action="store_true", help="register the machines that are not known")

    def handle(self, **options: Any) -> None:
        (partner,) = Partner.objects.selected(options["schema"])
        order = bulk.Order(
            DATASETS[options["dataset"]],
            retention.window(timezone.now(), partner.retention_days),
            options["register"],
            actor="import_csv",
        )
        with schema_context(partner.schema_name):
            loaded = self._load(options["file"], order)
        for warning in loaded.warnings:
            self.stderr.write(warning)
        again = ", as before: this file was stored already" if loaded.repeated else ""
        self.stdout.write(
            f"{partner.schema_name}: {loaded.records} rows of {loaded.machines} machines, "
            f"{loaded.duplicates} of them duplicates, {len(loaded.registered)} machines registered{again}"
        )

    def _load(self, path: Path, order: bulk.Order) -> bulk.Loaded:
        try:
            with path.open("rb") as file:
                return bulk.load(file, order)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from None
        except BatchError as error:
            lines = [
                f"  line {bad.line}, column {bad.column}: {bad.value!r} {bad.reason}" for bad in error.problems[1:]
            ]
            raise CommandError("\n".join([error.sentence, *lines])) from None
        except ServiceError as error:
            raise CommandError(error.sentence) from None
