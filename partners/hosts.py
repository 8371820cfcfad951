"""Host name to partner, cached (trap 29): unknown names too, for a short time."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete, post_save, pre_save
from django.dispatch import receiver
from django_tenants.utils import get_public_schema_name

from core.limits import shared_delete, shared_get, shared_set
from core.tenancy import schema_context
from partners.models import Domain, Partner
from partners.names import MAX_HOST

KNOWN_SECONDS = 60
UNKNOWN_SECONDS = 30
FRESH_SECONDS = 1
"""For so long a process trusts what it read of a partner itself; a change made in another one takes effect then."""

_fresh: dict[str, tuple[float, Tenant]] = {}


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
    if len(host) > MAX_HOST:
        return None
    until, tenant = _fresh.get(host, (0.0, None))
    if time.monotonic() < until:
        return tenant
    tenant = _find_shared(host)
    if tenant is not None:
        _fresh[host] = time.monotonic() + FRESH_SECONDS, tenant
    return tenant


def _find_shared(host: str) -> Tenant | None:
    cached = shared_get(_key(host))
    if cached is not None:
        return cached if isinstance(cached, Tenant) else None
    domain = Domain.objects.select_related("tenant").filter(domain=host).first()
    found = Tenant.of(domain.tenant) if domain else None
    shared_set(_key(host), found or "unknown", KNOWN_SECONDS if found else UNKNOWN_SECONDS)
    return found


def _key(host: str) -> str:
    return f"host:{host}"


def home(partner: Partner) -> str:
    """The address of the partner's portal, for links from outside of a request; no slash at its end."""
    with schema_context(get_public_schema_name()):
        domain = partner.domains.order_by("-is_primary", "id").first()
    scheme, port = "https" if settings.HTTPS else "http", f":{settings.PUBLIC_PORT}" if settings.PUBLIC_PORT else ""
    return f"{scheme}://{domain.domain if domain else 'localhost'}{port}"


def forget(names: Collection[str]) -> None:
    """Now, and again once this transaction is committed: until then another request may remember the old state."""
    _forget(names)
    transaction.on_commit(lambda: _forget(names))


def _forget(names: Collection[str]) -> None:
    shared_delete([_key(name) for name in names])
    for name in names:
        _fresh.pop(name, None)


@receiver((post_save, post_delete), sender=Partner)
def forget_partner(instance: Partner, **_: object) -> None:
    forget(list(instance.domains.values_list("domain", flat=True)))


@receiver(pre_save, sender=Domain)
def forget_former_name(instance: Domain, **_: object) -> None:
    forget(list(Domain.objects.filter(pk=instance.pk).values_list("domain", flat=True)))


@receiver((post_save, post_delete), sender=Domain)
def forget_domain(instance: Domain, **_: object) -> None:
    forget([instance.domain])
