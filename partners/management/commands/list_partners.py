"""manage.py list_partners"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from partners.models import Partner


class Command(BaseCommand):
    help = "List the partners with their hosts and state."

    def handle(self, **options: Any) -> None:
        for partner in Partner.objects.prefetch_related("domains"):
            state = "operator" if partner.is_operator else "open" if partner.is_open else "closed"
            hosts = ",".join(domain.domain for domain in partner.domains.all())
            paid = f"{partner.paid_until or 'no end'}"
            self.stdout.write(
                f"{partner.schema_name:<24} {state:<9} paid until {paid:<11} {partner.retention_days:>4} days  {hosts}"
            )
