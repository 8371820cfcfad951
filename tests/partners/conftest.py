"""A partner of its own for tests that close, break or dump one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from core.tenancy import leave_tenant
from partners.models import Partner
from tests.cast import Cast, open_cast


def _remove(name: str) -> None:
    leave_tenant()
    with connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
    Partner.objects.filter(schema_name=name).delete()


@pytest.fixture
def committed(casts: dict[str, Cast], django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """No transaction around the test; the partner `delta` is gone after it."""
    with django_db_blocker.unblock():
        yield
        _remove("delta")


@pytest.fixture
def gamma(casts: dict[str, Cast], django_db_blocker: DjangoDbBlocker) -> Iterator[Cast]:
    """Committed, so that pg_dump sees it; gone after the test, whatever that did to it."""
    with django_db_blocker.unblock():
        try:
            yield open_cast("gamma")
        finally:
            _remove("gamma")
