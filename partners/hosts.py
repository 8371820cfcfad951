"""Host name to partner, cached (trap 29): unknown names too, for a short time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.core.cache import caches
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from core.limits import shared_get, shared_set
from partners.models import Domain, Partner

KNOWN_SECONDS = 60
UNKNOWN_SECONDS = 30


@dataclass(frozen=True)
class Tenant:
    """What a request needs to know of its partner; has the attributes that the database backend reads of a tenant."""

    id: int
    schema_name: str
    name: str
    active: bool
    paid_until: date | None
    info_url: str
    retention_days: int
    is_operator: bool
    is_generated: bool

    @staticmethod
    def of(partner: Partner) -> Tenant:
        return Tenant(
            partner.id, partner.schema_name, partner.name, partner.active, partner.paid_until, partner.info_url,
            partner.retention_days, partner.is_operator, partner.is_generated,
        )  # fmt: skip

    def is_open(self, today: date) -> bool:
        return self.active and (self.paid_until is None or today <= self.paid_until)


def find(host: str) -> Tenant | None:
    """The partner of a host name in its normal form, or None. Runs in the public schema."""
    cached = shared_get(_key(host))
    if cached is not None:
        return cached if isinstance(cached, Tenant) else None
    domain = Domain.objects.select_related("tenant").filter(domain=host).first()
    found = Tenant.of(domain.tenant) if domain else None
    shared_set(_key(host), found or "unknown", KNOWN_SECONDS if found else UNKNOWN_SECONDS)
    return found


def _key(host: str) -> str:
    return f"host:{host}"


@receiver((post_save, post_delete), sender=Partner)
def forget_partner(instance: Partner, **_: object) -> None:
    caches["shared"].delete_many([_key(host) for host in instance.domains.values_list("domain", flat=True)])


@receiver((post_save, post_delete), sender=Domain)
def forget_domain(instance: Domain, **_: object) -> None:
    caches["shared"].delete(_key(instance.domain))
