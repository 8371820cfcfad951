"""Alpha as the platform's operator, Beta as its customer: no third tenant is made for it."""

from __future__ import annotations

from accounts.models import AuditEvent
from core.tenancy import schema_context
from partners.models import Partner
from tests.cast import Cast


def make_operator(cast: Cast) -> None:
    """Until the test's transaction is rolled back."""
    with schema_context("public"):
        partner = Partner.objects.get(schema_name=cast.schema)
        partner.is_operator = True
        partner.save(update_fields=["is_operator"])


def row(cast: Cast) -> Partner:
    with schema_context("public"):
        found: Partner = Partner.objects.get(schema_name=cast.schema)
        return found


def events(cast: Cast, event: str) -> list[AuditEvent]:
    with schema_context(cast.schema):
        return list(AuditEvent.objects.filter(event=event))
