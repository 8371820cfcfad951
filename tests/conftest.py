"""Fixtures for everything but the agent's own tests, which need neither Django nor a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection

from core import embedded
from core.tenancy import leave_tenant
from partners import hosts
from tests.cast import Cast, open_cast
from tests.live.portal import RunningPortal, running_portal


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> Iterator[None]:
    """The embedded server for the run, unless DATABASE_URL names another."""
    if settings.DATABASE_URL:
        yield
        return
    with embedded.running(Path(settings.DATA_DIR)):
        yield
        connection.close()


@pytest.fixture(scope="session")
def casts(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> dict[str, Cast]:
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        return {name: open_cast(name) for name in ("alpha", "beta")}


@pytest.fixture
def alpha(casts: dict[str, Cast], db: None) -> Cast:
    return casts["alpha"]


@pytest.fixture
def beta(casts: dict[str, Cast], db: None) -> Cast:
    return casts["beta"]


@pytest.fixture(scope="session")
def portal() -> Iterator[RunningPortal]:
    """A real portal process with the same two partners, started when the first test asks for it."""
    with running_portal() as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    """No limit, host or tenant left over from the test before."""
    for alias in settings.CACHES:
        caches[alias].clear()
    hosts._fresh.clear()
    leave_tenant()
    yield
    leave_tenant()
