"""partners.migrating: a migrate of many partners looks only at those that need it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django_tenants.migration_executors.standard import StandardExecutor

from partners import migrating
from tests.cast import Cast


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The schemas that django-tenants is left to migrate."""
    names: list[str] = []
    monkeypatch.setattr(StandardExecutor, "run_migrations", lambda self, tenants: names.extend(tenants))
    return names


def forget(schema: str, app: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {schema}.django_migrations WHERE app = %s", [app])


def test_partners_with_every_migration_are_found_at_once(
    alpha: Cast, beta: Cast, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(3):  # with the search path
        assert migrating.migrated(["alpha", "nonsense", "beta"]) == {"alpha", "beta"}
    assert migrating.migrated([]) == set()


def test_a_partner_without_one_migration_is_migrated(alpha: Cast, beta: Cast, looked_at: list[str]) -> None:
    forget("beta", "analysis")
    call_command("migrate_schemas", verbosity=0)
    assert looked_at == ["public", "beta"]


def test_the_public_schema_is_always_looked_at(alpha: Cast, beta: Cast, looked_at: list[str]) -> None:
    call_command("migrate_schemas", verbosity=0)
    assert looked_at == ["public"]


@pytest.mark.parametrize("special", [{"plan": True}, {"check_unapplied": True}, {"app_label": "analysis"}])
def test_what_asks_for_more_than_a_migrate_is_left_as_it_is(
    alpha: Cast, beta: Cast, looked_at: list[str], special: dict[str, Any]
) -> None:
    call_command("migrate_schemas", verbosity=0, **special)
    assert set(looked_at) >= {"public", "alpha", "beta"}


def test_other_executors_are_those_of_django_tenants() -> None:
    assert migrating.get_executor() is migrating.Executor
    assert migrating.get_executor("multiprocessing").codename == "multiprocessing"
