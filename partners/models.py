"""Partner and Domain: the only tables, besides the job queue, of the public schema."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import models
from django.utils import timezone
from django_tenants.models import DomainMixin, TenantMixin

from partners.names import check_host, check_schema_name


class PartnerQuerySet(models.QuerySet["Partner"]):
    def selected(self, schema_name: str | None) -> PartnerQuerySet:
        """The partner that a command's --schema names, all of them without; DoesNotExist for an unknown name."""
        if schema_name is None:
            return self.all()
        self.get(schema_name=schema_name)
        return self.filter(schema_name=schema_name)


class Partner(TenantMixin):  # type: ignore[misc]  # django_tenants has no types
    """A customer, with a PostgreSQL schema of its own. Dates are UTC days; retention is in days."""

    schema_name = models.CharField(max_length=63, unique=True, validators=[check_schema_name])
    name = models.CharField(max_length=120)
    active = models.BooleanField(default=True)
    paid_until = models.DateField(null=True, blank=True)
    info_url = models.URLField(blank=True)
    created_on = models.DateField(default=date.today)
    retention_days = models.PositiveIntegerField(default=90)
    rollup_retention_days = models.PositiveIntegerField(default=730)
    is_operator = models.BooleanField(default=False)
    is_generated = models.BooleanField(default=False)

    objects = PartnerQuerySet.as_manager()

    auto_drop_schema = False
    clone_mode = "NODATA"

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        """Active, and not past the last day paid for."""
        return self.active and (self.paid_until is None or timezone.now().date() <= self.paid_until)


class Domain(DomainMixin):  # type: ignore[misc]  # django_tenants has no types
    """A host name of a partner, lower case, no port, no trailing dot."""

    domain = models.CharField(max_length=253, unique=True, validators=[check_host])

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.full_clean(exclude=["tenant"])
        super().save(*args, **kwargs)
