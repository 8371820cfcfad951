"""Opening a partner: schema, host and first Admin together, or none of them."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django_tenants.utils import schema_exists

from accounts import audit
from accounts.models import Role, User
from core.tenancy import schema_context
from partners.models import Domain, Partner
from partners.names import check_host, check_schema_name


@dataclass(frozen=True)
class Opening:
    """What a new partner is to be: `name` is its schema name, `title` what people read.

    Without a password there is no account yet: the first Admin is invited (`accounts.operating`).
    """

    name: str
    host: str
    admin_email: str
    admin_password: str = ""
    title: str = ""
    is_operator: bool = False
    is_generated: bool = False
    retention_days: int = 90


def open_partner(opening: Opening) -> Partner:
    """Make the partner; ValidationError when a name or host is bad, reserved or taken, and then nothing remains."""
    check_schema_name(opening.name)
    check_host(opening.host)
    if Domain.objects.filter(domain=opening.host).exists():
        raise ValidationError(f"The host {opening.host} belongs to another partner.")
    if opening.is_operator and Partner.objects.filter(is_operator=True).exists():
        raise ValidationError("There is an operator partner already.")
    partner = Partner(
        schema_name=opening.name, name=opening.title or opening.name, is_operator=opening.is_operator,
        is_generated=opening.is_generated, retention_days=opening.retention_days,
    )  # fmt: skip
    partner.full_clean()
    if schema_exists(partner.schema_name):
        raise ValidationError(f"The database has a schema {partner.schema_name} already, of no partner.")
    try:
        partner.save(verbosity=0)
        Domain(domain=opening.host, tenant=partner).save()
        with schema_context(partner.schema_name):
            if opening.admin_password:
                User.objects.create_user(opening.admin_email, opening.admin_password, role=Role.ADMIN)
            audit.record("partner.opened", user=opening.admin_email)
    except BaseException:  # Ctrl-C too
        if partner.pk is not None:
            partner.delete(force_drop=True)
        raise
    return partner
