"""accounts.tokens: a token acts as its user; when it was last used; both logs know who made and revoked it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts import tokens
from accounts.models import AuditEvent, PersonalToken, Role, Scope, User
from core.keys import Secret, generate
from tests.cast import Cast


@pytest.fixture
def analyst(alpha: Cast) -> Iterator[User]:
    user = alpha.user(Role.ANALYST)
    with schema_context(alpha.schema):
        yield user


def make(user: User, scope: Scope = Scope.READ) -> Secret:
    return tokens.make(user, "nightly", scope, 30, ip="192.0.2.1")


def test_a_token_is_its_user(analyst: User) -> None:
    found = tokens.authenticate(make(analyst))
    assert found is not None
    assert found.user == analyst


def test_only_id_and_digest_are_stored(analyst: User) -> None:
    secret = make(analyst)
    stored = PersonalToken.objects.values().get()
    assert secret.secret not in repr(stored)
    assert (stored["token_id"], stored["digest"]) == (secret.public_id, secret.digest)


@pytest.mark.parametrize(
    "dead",
    [{"expires_at": timezone.now()}, {"revoked_at": timezone.now()}, {"token_id": "0" * 16}, {"digest": "0" * 64}],
    ids=str,
)
def test_a_dead_token_is_nobody(analyst: User, dead: dict[str, Any]) -> None:
    secret = make(analyst)
    PersonalToken.objects.update(**dead)
    assert tokens.authenticate(secret) is None


def test_a_deactivated_users_token_is_nobody(analyst: User) -> None:
    secret = make(analyst)
    User.objects.filter(pk=analyst.pk).update(is_active=False)
    assert tokens.authenticate(secret) is None


def test_it_is_worth_nothing_at_another_partner(analyst: User, beta: Cast) -> None:
    secret = make(analyst)
    with schema_context(beta.schema):
        assert tokens.authenticate(secret) is None


def test_known_and_unknown_cost_one_query(analyst: User, django_assert_num_queries: Any) -> None:
    known = make(analyst)
    PersonalToken.objects.update(last_used=timezone.now())
    for secret in (known, generate(tokens.PERSONAL)):
        with django_assert_num_queries(1):
            tokens.authenticate(secret)


def test_last_used_is_written_once_a_minute(analyst: User, django_assert_num_queries: Any) -> None:
    secret = make(analyst)
    with django_assert_num_queries(2):
        tokens.authenticate(secret)
    with django_assert_num_queries(1):
        tokens.authenticate(secret)
    earlier = timezone.now() - timedelta(seconds=61)
    PersonalToken.objects.update(last_used=earlier)
    tokens.authenticate(secret)
    assert PersonalToken.objects.get().last_used != earlier


@pytest.mark.parametrize(("method", "may"), [("GET", True), ("HEAD", True), ("POST", False), ("OPTIONS", False)])
def test_a_token_that_only_reads_reads(analyst: User, method: str, may: bool) -> None:
    make(analyst)
    assert tokens.allows(PersonalToken.objects.get(), method) is may


def test_making_and_revoking_are_audited_once_and_without_the_secret(analyst: User) -> None:
    secret = make(analyst)
    for _ in range(2):
        tokens.revoke(PersonalToken.objects.get(), actor="admin@alpha.example", ip=None)
    events = list(AuditEvent.objects.filter(event__startswith="token.").order_by("id"))
    assert [(event.event, event.user) for event in events] == [
        ("token.made", "analyst@alpha.example"), ("token.revoked", "admin@alpha.example"),
    ]  # fmt: skip
    assert secret.secret not in repr([event.detail for event in events])
