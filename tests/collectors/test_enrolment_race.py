"""A token for three machines, used by six at once from six connections."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection
from django_tenants.utils import schema_context
from pytest_django import DjangoDbBlocker

from collectors import keys, registry
from collectors.models import Collector, EnrolmentToken
from core.errors import ServiceError
from tests.cast import Cast, open_cast

USES, MACHINES = 3, 6


@pytest.fixture
def token(casts: dict[str, Cast], django_db_blocker: DjangoDbBlocker) -> Iterator[keys.Secret]:
    """Of a partner of its own, committed for other connections to see, and gone after the test."""
    with django_db_blocker.unblock():
        cast = open_cast("racers")
        try:
            with schema_context(cast.schema):
                yield registry.make_enrolment_token(actor="a", uses=USES)
        finally:
            cast.partner.delete(force_drop=True)


def test_a_token_is_not_used_more_often_than_it_may_be(token: keys.Secret) -> None:
    together, codes = threading.Barrier(MACHINES), []

    def enrol(number: int) -> None:
        with schema_context("racers"):
            together.wait(10)
            try:
                registry.register_with_token(token, f"racer{number}", "", ip=None)
                codes.append("registered")
            except ServiceError as error:
                codes.append(error.code.code)
        connection.close()

    threads = [threading.Thread(target=enrol, args=(number,)) for number in range(MACHINES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(codes) == ["AUTH_001"] * (MACHINES - USES) + ["registered"] * USES
    assert EnrolmentToken.objects.get(token_id=token.public_id).uses_left == 0
    assert Collector.objects.filter(machine_id__startswith="racer").count() == USES
