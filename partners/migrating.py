"""Migrating many partners: those with nothing to do are found with a few queries, not by a migrate of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_tenants import migration_executors
from django_tenants.migration_executors.standard import StandardExecutor

SCHEMAS_A_QUERY = 100
"""Each is a table to lock until the query ends."""
_SPECIAL = ("app_label", "migration_name", "fake", "fake_initial", "plan", "prune", "run_syncdb", "check_unapplied")


def get_executor(codename: str | None = None) -> type[migration_executors.MigrationExecutor]:
    """What `migrate_schemas` asks (GET_EXECUTOR_FUNCTION)."""
    found = migration_executors.get_executor(codename)
    return Executor if found is StandardExecutor else found


class Executor(StandardExecutor):  # type: ignore[misc]  # django-tenants has no types
    """django-tenants' own, one schema after the other, without the schemas that have every migration."""

    def run_migrations(self, tenants: Iterable[str] | None = None) -> None:
        names = list(tenants or [])
        if not any(self.options.get(name) for name in _SPECIAL):
            whole = migrated(name for name in names if name != self.PUBLIC_SCHEMA_NAME)
            names = [name for name in names if name not in whole]
        super().run_migrations(names)


def migrated(schemas: Iterable[str]) -> set[str]:
    """Those of the schemas whose record holds every migration there is on disk.

    Of migrations that replace others, a schema may have either; then it is none of these, and migrate looks itself.
    """
    wanted = [f"{app}.{name}" for app, name in MigrationLoader(None, ignore_no_migrations=True).disk_migrations]
    there = _with_record(list(schemas))
    parts = [there[at : at + SCHEMAS_A_QUERY] for at in range(0, len(there), SCHEMAS_A_QUERY)]
    return {name for part in parts for name in _complete(part, wanted)}


def _with_record(schemas: Sequence[str]) -> list[str]:
    query = "SELECT schemaname FROM pg_tables WHERE tablename = 'django_migrations' AND schemaname = ANY(%s)"
    return [name for (name,) in _fetch(query, [list(schemas)])]


def _complete(schemas: Sequence[str], wanted: Sequence[str]) -> list[str]:
    quote = connection.ops.quote_name
    query = " UNION ALL ".join(
        f"SELECT %s WHERE %s <@ (SELECT array_agg(app || '.' || name) FROM {quote(name)}.django_migrations)"  # noqa: S608
        for name in schemas
    )
    return [name for (name,) in _fetch(query, [value for name in schemas for value in (name, list(wanted))])]


def _fetch(query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
