"""accounts.models: one account an e-mail, and roles that stand above each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django_tenants.utils import schema_context

from accounts.models import Role, User
from tests.cast import Cast


@pytest.fixture(autouse=True)
def _in_alpha(alpha: Cast) -> Iterator[None]:
    with schema_context(alpha.schema):
        yield


def test_an_e_mail_is_lower_case_however_it_is_saved() -> None:
    made = User.objects.create_user("  Ann@Example.COM ", "x")
    assert made.email == "ann@example.com"
    made.email = "Bob@Example.com"
    made.save()
    assert User.objects.get(pk=made.pk).email == "bob@example.com"
    assert User.objects.create(email="Cleo@Example.com").email == "cleo@example.com"


def test_an_e_mail_has_one_account_in_any_spelling() -> None:
    User.objects.create_user("ann@example.com", "x")
    with pytest.raises(ValidationError, match="already exists"):
        User.objects.create_user("ANN@example.com", "x")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="Ann@Example.com")


@pytest.mark.parametrize(
    "email", ["", "ann", "ann@", "a b@example.com", "ann@example.com\n.evil", "a" * 250 + "@b.example"]
)
def test_what_is_no_e_mail_is_refused(email: str) -> None:
    with pytest.raises(ValidationError):
        User.objects.create_user(email, "x")


def test_a_role_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError):
        User.objects.create_user("ann@example.com", "x", role="owner")


def test_signing_in_ignores_case_and_spaces_of_the_e_mail() -> None:
    user = User.objects.create_user("ann@example.com", "right")
    assert authenticate(username=" ANN@Example.com ", password="right") == user
    assert authenticate(username="ann@example.com", password="wrong") is None


def test_the_password_is_stored_as_a_hash() -> None:
    user = User.objects.create_user("ann@example.com", "right")
    assert "right" not in user.password
    assert user.check_password("right")


def test_an_account_without_a_password_cannot_sign_in() -> None:
    user = User.objects.create_user("ann@example.com")
    assert not user.has_usable_password()
    assert authenticate(username="ann@example.com", password="") is None


def test_an_account_that_is_switched_off_cannot_sign_in_and_has_no_role() -> None:
    user = User.objects.create_user("ann@example.com", "right", role=Role.ADMIN, is_active=False)
    assert authenticate(username="ann@example.com", password="right") is None
    assert not any(user.has_role(role) for role in Role)


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.ADMIN, {Role.ADMIN, Role.ANALYST, Role.VIEWER}),
        (Role.ANALYST, {Role.ANALYST, Role.VIEWER}),
        (Role.VIEWER, {Role.VIEWER}),
    ],
)
def test_each_role_may_what_the_ones_below_it_may(role: Role, may: set[Role]) -> None:
    User.objects.create_user("ann@example.com", "x", role=role)
    user = User.objects.get(email="ann@example.com")
    assert {least for least in Role if user.has_role(least)} == may


def test_the_least_role_is_the_default() -> None:
    assert User.objects.create_user("ann@example.com", "x").role == Role.VIEWER
