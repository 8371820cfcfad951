"""System checks perf.E001 to E003 fire when a tenant could reach another's data, and the code keeps to its rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.checks import run_checks

PROJECT = Path(configured.BASE_DIR)
FOLDERS = ("core", "partners", "accounts", "collectors", "analysis", "alerts", "api", "portal", "reports", "bench")
DJANGO_TENANTS_KEY = "django_tenants.cache.make_key"


def fired() -> set[str | None]:
    return {message.id for message in run_checks(tags=["security"]) if str(message.id).startswith("perf.")}


def test_as_it_is_no_check_fires() -> None:
    assert fired() == set()


@pytest.mark.parametrize("app", ["django.contrib.auth", "accounts"])
def test_an_app_in_both_lists_is_an_error(settings: Any, app: str) -> None:
    """Trap 24."""
    settings.SHARED_APPS = [*settings.SHARED_APPS, app]
    assert fired() == {"perf.E001"}


@pytest.mark.parametrize(
    ("default", "shared", "limits"),
    [
        ({}, {}, "shared"),
        ({"KEY_FUNCTION": DJANGO_TENANTS_KEY}, {"KEY_FUNCTION": DJANGO_TENANTS_KEY}, "shared"),
        ({"KEY_FUNCTION": DJANGO_TENANTS_KEY}, {}, "default"),
    ],
)
def test_a_cache_with_the_wrong_key_is_an_error(
    settings: Any, default: dict[str, str], shared: dict[str, str], limits: str
) -> None:
    """Trap 25."""
    backend = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    settings.CACHES = {"default": {**backend, **default}, "shared": {**backend, **shared}}
    settings.RATELIMIT_USE_CACHE = limits
    assert fired() == {"perf.E002"}


@pytest.mark.parametrize("name", ["SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_DOMAIN"])
def test_a_cookie_domain_is_an_error(settings: Any, name: str) -> None:
    """Trap 26."""
    setattr(settings, name, ".localhost")
    assert fired() == {"perf.E003"}


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            yield path.relative_to(PROJECT), ast.parse(path.read_text())


def name_of(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def forbidden(tree: ast.AST) -> list[int]:
    """Lines that choose a tenant in a way that leaves the wrong one active in another thread (trap 23)."""
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                chosen = name_of(item.context_expr)
                bare = not isinstance(item.context_expr, ast.Call) and chosen in {"tenant", "partner"}
                lines += [node.lineno] if bare or chosen == "tenant_context" else []
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names = {name_of(decorator) for decorator in node.decorator_list}
            lines += [node.lineno] if names & {"schema_context", "tenant_context"} else []
    return lines


@pytest.mark.parametrize(
    "code",
    [
        "with tenant:\n    pass",
        "with request.tenant:\n    pass",
        "with open(x), partner as p:\n    pass",
        "with tenant_context(tenant):\n    pass",
        "@schema_context('a')\ndef f(): pass",
        "@utils.tenant_context(t)\ndef f(): pass",
    ],
)
def test_the_search_for_forbidden_ways_finds_them(code: str) -> None:
    assert forbidden(ast.parse(code))


def test_a_tenant_is_chosen_only_by_with_schema_context() -> None:
    found = [f"{path}:{line}" for path, tree in modules() for line in forbidden(tree)]
    assert found == []


def test_the_connection_is_switched_in_one_module_only() -> None:
    switches = {"set_tenant", "set_schema", "set_schema_to_public", "activate", "deactivate_tenant"}
    factors = {"TOTP", "RecoveryCodes"}  # allauth's, which are activated too
    found = {
        str(path)
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in switches
        if getattr(node.func.value, "id", "") not in factors
    }
    assert found == {"core/tenancy.py"}
