"""The current tenant of this thread's connection, with types (django-tenants has none)."""

from __future__ import annotations

from typing import Protocol, cast

from django.db import connection


class HasSchema(Protocol):
    @property
    def schema_name(self) -> str: ...


class _TenantConnection(Protocol):
    schema_name: str

    def set_tenant(self, tenant: HasSchema, include_public: bool) -> None: ...
    def set_schema_to_public(self) -> None: ...


def _tenant_connection() -> _TenantConnection:
    return cast(_TenantConnection, connection)


def current_schema() -> str:
    return _tenant_connection().schema_name


def enter_tenant(tenant: HasSchema) -> None:
    """Only the tenant's own schema from here on: with `public` in the path a missing table fails open (trap 24)."""
    _tenant_connection().set_tenant(tenant, include_public=False)


def leave_tenant() -> None:
    _tenant_connection().set_schema_to_public()
