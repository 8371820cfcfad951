"""The current tenant of this thread's connection, with types (django-tenants has none)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

from django.db import connection

Statement: TypeAlias = tuple[str, list[Any]]
"""SQL and its values."""


class HasSchema(Protocol):
    @property
    def schema_name(self) -> str: ...


@dataclass(frozen=True)
class _Schema:
    schema_name: str


class _TenantConnection(Protocol):
    schema_name: str
    tenant: HasSchema
    include_public_schema: bool

    def set_tenant(self, tenant: HasSchema, include_public: bool) -> None: ...
    def set_schema_to_public(self) -> None: ...
    def ask(self, sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None: ...


def _tenant_connection() -> _TenantConnection:
    return cast(_TenantConnection, connection)


def current_schema() -> str:
    return _tenant_connection().schema_name


def enter_tenant(tenant: HasSchema) -> None:
    """Only the tenant's own schema from here on: with `public` in the path a missing table fails open (trap 24)."""
    _tenant_connection().set_tenant(tenant, include_public=False)


@contextmanager
def schema_context(schema_name: str) -> Iterator[None]:
    """That tenant's schema, without `public`, for a block; then again what was there before.

    The one of django-tenants puts `public` into the path, in the block and after it.
    """
    here = _tenant_connection()
    before, with_public = here.tenant, here.include_public_schema
    enter_tenant(_Schema(schema_name))
    try:
        yield
    finally:
        here.set_tenant(before, with_public)


def leave_tenant() -> None:
    _tenant_connection().set_schema_to_public()


def ask(sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """The first row of a query in the current tenant; as the first of a request it costs one round trip, not two."""
    return _tenant_connection().ask(sql, values)
