"""What an Admin may change of the partner: its row is in `public`, which is entered here for that one row only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django_tenants.utils import get_public_schema_name

from accounts import audit
from core.tenancy import current_schema, schema_context
from partners.models import Partner


@dataclass(frozen=True)
class Settings:
    """The name that people read, and for how many days samples and their hourly roll-ups are kept."""

    name: str
    retention_days: int
    rollup_retention_days: int

    @staticmethod
    def of(partner: Partner) -> Settings:
        return Settings(partner.name, partner.retention_days, partner.rollup_retention_days)


def read() -> Settings:
    """Those of the current tenant."""
    own = current_schema()
    with schema_context(get_public_schema_name()):
        return Settings.of(Partner.objects.get(schema_name=own))


def change(wanted: Settings, *, actor: str, ip: str | None) -> None:
    """From the next request on; the audit log gets what differs, before and after."""
    own = current_schema()
    with transaction.atomic():
        with schema_context(get_public_schema_name()):
            partner = Partner.objects.select_for_update().get(schema_name=own)
            before = asdict(Settings.of(partner))
            changed = {name: value for name, value in asdict(wanted).items() if value != before[name]}
            for name, value in changed.items():
                setattr(partner, name, value)
            partner.save(update_fields=list(changed))
        if changed:
            detail: dict[str, Any] = {name: f"{before[name]} → {value}" for name, value in changed.items()}
            audit.record("settings.changed", user=actor, ip=ip, **detail)
