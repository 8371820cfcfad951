"""The page of API tokens: shown once, own ones, everybody's for an Admin."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import schema_context

from accounts import tokens
from accounts.models import PersonalToken, Role, Scope
from core.keys import Secret, parse
from tests.cast import Cast

MAKE = {"name": "nightly <export>", "scope": "read", "days": "30"}


def made(text: str) -> Secret:
    found = parse(re.findall(r"pft_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", text)[0], tokens.PERSONAL)
    assert found
    return found


def token_of(cast: Cast, role: Role) -> str:
    with schema_context(cast.schema):
        return tokens.make(cast.user(role), f"of the {role}", Scope.READ, 1, ip=None).public_id


def test_a_token_is_shown_once_and_works(alpha: Cast) -> None:
    client = alpha.client(Role.VIEWER)
    secret = made(client.post("/tokens/make", MAKE).content.decode())
    script = Client(headers={"host": alpha.host, "authorization": f"Bearer {secret}"})
    assert script.get("/api/v1/collectors").status_code == 200
    text = client.get("/tokens").content.decode()
    assert secret.secret not in text
    assert "nightly &lt;export&gt;" in text


@pytest.mark.parametrize("wrong", [{"name": ""}, {"scope": "root"}, {"days": "0"}, {"days": "367"}])
def test_what_cannot_be_made_is_said_at_the_field(alpha: Cast, wrong: dict[str, str]) -> None:
    answer = alpha.client(Role.VIEWER).post("/tokens/make", {**MAKE, **wrong})
    assert 'class="problem"' in answer.content.decode()
    with schema_context(alpha.schema):
        assert not PersonalToken.objects.exists()


def test_people_see_and_revoke_their_own_only(alpha: Cast) -> None:
    other = token_of(alpha, Role.ADMIN)
    client = alpha.client(Role.ANALYST)
    assert "of the admin" not in client.get("/tokens").content.decode()
    assert client.post(f"/tokens/{other}/revoke").status_code == 404
    with schema_context(alpha.schema):
        assert PersonalToken.objects.get().revoked_at is None


def test_an_admin_sees_and_revokes_everybodys(alpha: Cast) -> None:
    theirs = token_of(alpha, Role.VIEWER)
    client = alpha.client(Role.ADMIN)
    assert "viewer@alpha.example" in client.get("/tokens").content.decode()
    assert client.post(f"/tokens/{theirs}/revoke").status_code == 302
    with schema_context(alpha.schema):
        assert PersonalToken.objects.get().revoked_at is not None


def test_many_tokens_cost_no_more_queries(alpha: Cast, django_assert_num_queries: Any) -> None:
    """The path, the session, the user, the settings, the tokens."""
    client = alpha.client(Role.ADMIN)
    client.get("/tokens")
    for role in (Role.ADMIN, Role.VIEWER, Role.ANALYST, Role.VIEWER):
        token_of(alpha, role)
    with django_assert_num_queries(5):
        assert client.get("/tokens").status_code == 200
