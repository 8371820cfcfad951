"""What the platform's operator does to partners, from its own tenant; in its audit log, and in the partner's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django_tenants.utils import get_public_schema_name

from accounts import audit, people
from accounts.models import Role, User
from accounts.opening import Opening, open_partner
from core.errors import ServiceError
from core.keys import Secret
from core.tenancy import schema_context
from partners.models import Partner


@dataclass(frozen=True)
class Operator:
    """Who acts, and from where."""

    user: User
    ip: str | None


@dataclass(frozen=True)
class Terms:
    """The last day paid for (None: no end), and where a suspended partner's people can read more."""

    paid_until: date | None
    info_url: str


def partner(schema: str) -> Partner:
    """One that the operator may change: not its own. REQUEST_001 for any other."""
    with _public():
        found = Partner.objects.prefetch_related("domains").filter(schema_name=schema, is_operator=False).first()
    if found is None:
        raise ServiceError("REQUEST_001", "There is no such partner.")
    return found


def open_with_invitation(opening: Opening, operator: Operator) -> Secret:
    """The new partner's schema and host, and the link for its first Admin; ValidationError as `open_partner`."""
    with _public():
        open_partner(opening)
    with schema_context(opening.name):
        secret = people.invite(opening.admin_email, Role.ADMIN, actor=_name(operator), ip=operator.ip)
    audit.record(
        "partner.opened", user=operator.user.email, ip=operator.ip, partner=opening.name, host=opening.host,
        admin=opening.admin_email,
    )  # fmt: skip
    return secret


def set_terms(schema: str, terms: Terms, operator: Operator) -> None:
    _change(schema, operator, "partner.terms_changed", paid_until=terms.paid_until, info_url=terms.info_url)


def suspend(schema: str, operator: Operator) -> None:
    """Every page and upload answers 403 until it is resumed; the data stays."""
    _change(schema, operator, "partner.suspended", active=False)


def resume(schema: str, operator: Operator) -> None:
    _change(schema, operator, "partner.resumed", active=True)


def _change(schema: str, operator: Operator, event: str, **wanted: Any) -> None:
    """Set fields of the partner's row; nothing, and no event, when they are so already."""
    with transaction.atomic():
        with _public():
            row = Partner.objects.select_for_update().filter(schema_name=schema, is_operator=False).first()
            if row is None:
                raise ServiceError("REQUEST_001", "There is no such partner.")
            before = {name: getattr(row, name) for name, value in wanted.items() if getattr(row, name) != value}
            for name in before:
                setattr(row, name, wanted[name])
            row.save(update_fields=list(before))
        if before:
            detail: dict[str, Any] = {
                name: f"{value or 'none'} → {wanted[name] or 'none'}" for name, value in before.items()
            }
            audit.record(event, user=operator.user.email, ip=operator.ip, partner=schema, **detail)
            with schema_context(schema):
                audit.record(event, user=_name(operator), ip=operator.ip, **detail)


def _name(operator: Operator) -> str:
    """As whom the operator stands in a partner's audit log."""
    return f"operator:{operator.user.email}"


@contextmanager
def _public() -> Iterator[None]:
    with schema_context(get_public_schema_name()):
        yield
