"""Host to tenant: refused before the tenant is asked anything, cached, and forgotten when it changes (trap 29)."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from core.limits import shared_delete, shared_set
from core.tenancy import leave_tenant
from partners import hosts
from partners.models import Domain, Partner
from tests.cast import Cast

API = "/api/v1/collectors"


def get(host: str, path: str = API) -> Any:
    return Client(headers={"host": host}).get(path)


def change(cast: Cast, **fields: Any) -> None:
    """Change the partner in the test's transaction, not in the cast."""
    leave_tenant()
    partner = Partner.objects.get(pk=cast.partner.pk)
    for name, value in fields.items():
        setattr(partner, name, value)
    partner.save()


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    "host",
    ["alpha.localhost", "ALPHA.Localhost", "alpha.localhost.", "alpha.localhost:8000", "Alpha.Localhost.:8000"],
)
def test_a_host_is_found_in_any_spelling(alpha: Cast, host: str) -> None:
    assert refusal(get(host)) == (401, "AUTH_002")


@pytest.mark.parametrize(
    "host",
    [
        "nobody.localhost", "localhost", "beta.alpha.localhost", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000",
        "[::1", "::1", "", " ", ".", "..", "-", "_", "alpha.localhost..", "alpha..localhost", "alpha localhost",
        "alpha.localhost, beta.localhost", "alpha.localhost/x", "alpha.localhost:port", "alpha.localhost:80:80",
        "alpha.localhost\\", "x@alpha.localhost", "alpha.localhost#", "<script>", "{{7*7}}", "../../etc/passwd",
        "'; DROP SCHEMA alpha; --", "ünï.localhost", "a" * 254, "a" * 9000, "a" * 9000 + ".localhost",
    ],
)  # fmt: skip
def test_any_other_host_is_404_never_500(alpha: Cast, host: str) -> None:
    assert refusal(get(host)) == (404, "TENANT_001")
    page = get(host, "/")
    assert page.status_code == 404
    assert "There is no customer at this host name." in page.content.decode()
    assert host not in page.content.decode() or host in {"", " ", ".", "..", "-", "_"}


def test_over_tls_only_a_hostile_host_is_refused_too(alpha: Cast, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert get("<script>").status_code == 400


@pytest.mark.parametrize(
    "fields",
    [{"active": False}, {"paid_until": date(2020, 1, 1)}, {"paid_until": timezone.now().date() - timedelta(days=1)}],
)
def test_a_suspended_or_unpaid_partner_is_403(alpha: Cast, fields: dict[str, Any]) -> None:
    change(alpha, **fields, info_url="https://example.com/billing")
    answer = get(alpha.host)
    assert refusal(answer) == (403, "TENANT_002")
    assert answer.json()["error"].endswith("More: https://example.com/billing")
    page = get(alpha.host, "/")
    assert page.status_code == 403
    assert "suspended or no longer paid for" in page.content.decode()
    assert alpha.machine_client().post("/api/v1/performance/upload").status_code == 403


def test_the_last_day_paid_for_is_served(alpha: Cast) -> None:
    change(alpha, paid_until=timezone.now().date())
    assert get(alpha.host).status_code == 401


def test_a_refusal_asks_the_public_schema_once_and_then_nobody(
    alpha: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    change(alpha, active=False)
    for host in ("nobody.localhost", alpha.host):
        with CaptureQueriesContext(connection) as first:
            get(host)
        asked = [query["sql"] for query in first if not query["sql"].startswith('SET search_path = "public"')]
        assert len(asked) == 1
        assert 'FROM "partners_domain"' in asked[0]
        with django_assert_num_queries(0):
            get(host)
            get(host, "/")


def test_a_known_host_is_looked_up_once(alpha: Cast) -> None:
    get(alpha.host)
    with CaptureQueriesContext(connection) as again:
        get(alpha.host)
    assert not [query for query in again if "partners_" in query["sql"]]


@pytest.mark.parametrize("path", ["/health", "/api/v1/status"])
@pytest.mark.parametrize("host", ["alpha.localhost", "nobody.localhost", "[::1]:8000", "10.0.0.7"])
def test_health_checks_are_answered_for_any_host_without_a_query(
    alpha: Cast, django_assert_num_queries: DjangoAssertNumQueries, host: str, path: str
) -> None:
    with django_assert_num_queries(0):
        assert get(host, path).status_code == 200


def test_a_change_of_the_partner_is_seen_by_the_next_request(alpha: Cast) -> None:
    codes = [get(alpha.host).status_code]
    for active in (False, True):
        change(alpha, active=active)
        codes.append(get(alpha.host).status_code)
    assert codes == [401, 403, 401]


def test_a_change_made_by_another_process_is_seen_a_second_later(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now)
    assert get(alpha.host).status_code == 401
    leave_tenant()
    Partner.objects.filter(pk=alpha.partner.pk).update(active=False)
    shared_delete([f"host:{alpha.host}"])
    assert get(alpha.host).status_code == 401
    monkeypatch.setattr("time.monotonic", lambda: now + hosts.FRESH_SECONDS)
    assert get(alpha.host).status_code == 403


def test_a_new_a_renamed_and_a_removed_host_are_seen_by_the_next_request(alpha: Cast) -> None:
    assert get("new.localhost").status_code == 404
    domain = Domain(domain="new.localhost", tenant=alpha.partner, is_primary=False)
    domain.save()
    assert get("new.localhost").status_code == 401
    assert get("newer.localhost").status_code == 404
    leave_tenant()
    domain.domain = "newer.localhost"
    domain.save()
    assert (get("new.localhost").status_code, get("newer.localhost").status_code) == (404, 401)
    leave_tenant()
    domain.delete()
    assert get("newer.localhost").status_code == 404


def test_what_was_remembered_before_the_commit_is_forgotten_after_it(
    alpha: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    """Another request may fill the cache with the old state between the change and its commit."""
    with django_capture_on_commit_callbacks(execute=True):
        change(alpha, active=False)
        shared_set(f"host:{alpha.host}", hosts.Tenant.of(alpha.partner), 60)
        assert get(alpha.host).status_code == 401
    assert get(alpha.host).status_code == 403


@pytest.mark.parametrize("host", ["Alpha2.localhost", "alpha2.localhost:8000", "10.0.0.1", "a b"])
def test_a_host_that_could_never_be_found_is_not_saved(alpha: Cast, host: str) -> None:
    with pytest.raises(Exception, match=r"no host name|is an address"):
        Domain(domain=host, tenant=alpha.partner).save()
