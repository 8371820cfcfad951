"""accounts.roles: the matrix is what pages and API ask, and nothing in it is idle."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django_tenants.utils import schema_context

from accounts import roles
from accounts.models import Role, User
from accounts.roles import MATRIX, Action
from tests.cast import Cast

EDGES = [*Path(settings.BASE_DIR, "portal").glob("*.py"), *Path(settings.BASE_DIR, "api").glob("*.py")]


def constants() -> dict[str, Action]:
    return {name: value for name, value in vars(roles).items() if isinstance(value, Action)}


def test_every_action_is_in_the_matrix_once() -> None:
    assert list(constants().values()) == list(MATRIX)
    assert len({action.name for action in MATRIX}) == len(MATRIX)


def test_every_action_is_asked_for_by_a_page_or_the_api() -> None:
    asked = {name for path in EDGES for name in re.findall(r"roles\.([A-Z_]+)\b", path.read_text())}
    assert asked == set(constants())


def test_no_edge_compares_roles_by_itself() -> None:
    """What a role may is in the matrix alone."""
    own = inspect.getsource(roles)
    assert "has_role" in own
    assert not [path.name for path in EDGES if re.search(r"has_role|\.reaches\(|role ==", path.read_text())]


@pytest.mark.parametrize("action", MATRIX, ids=lambda action: action.name)
@pytest.mark.parametrize("role", list(Role))
def test_an_action_is_allowed_from_its_least_role_up(alpha: Cast, action: Action, role: Role) -> None:
    with schema_context(alpha.schema):
        user = alpha.user(role)
    assert action.allows(user) is role.reaches(action.least)
    assert not action.allows(User(role=role, is_active=False))


@pytest.mark.parametrize("caller", [None, AnonymousUser(), "admin", object()], ids=str)
def test_who_is_no_user_may_nothing(caller: object) -> None:
    assert not any(action.allows(caller) for action in MATRIX)
