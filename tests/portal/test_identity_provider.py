"""Setting the identity provider up: by an Admin who has just proved who they are, and never its secret again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts import providers
from accounts.models import AuditEvent, IdentityProvider, Role
from core.tenancy import schema_context
from tests.cast import Cast
from tests.portal.issuer import CLIENT, SECRET, Issuer, running_issuer
from tests.portal.test_second_factor import signed_in

PATH = "/manage/identity-provider"


@pytest.fixture
def issuer(alpha: Cast, settings: Any) -> Iterator[Issuer]:
    settings.OUTGOING_ALLOW = ["127.0.0.0/8"]
    with running_issuer() as running:
        yield running


def save(cast: Cast, issuer: str, **more: str) -> str:
    fields = {"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET, "label": "Company", "is_active": "on"}
    return str(signed_in(cast, Role.ADMIN).post(PATH, fields | more, follow=True).content.decode())


def stored(cast: Cast) -> IdentityProvider | None:
    with schema_context(cast.schema):
        return providers.read()


def test_the_provider_is_asked_when_it_is_saved(alpha: Cast, beta: Cast, issuer: Issuer) -> None:
    assert "The provider was reached" in save(alpha, issuer.url)
    row = stored(alpha)
    assert row is not None
    assert (row.issuer, row.is_active, row.newcomer_role) == (issuer.url, True, "")
    assert stored(beta) is None


def test_the_secret_is_sealed_and_never_shown_again(alpha: Cast, beta: Cast, issuer: Issuer) -> None:
    assert SECRET not in save(alpha, issuer.url)
    row = stored(alpha)
    assert row is not None
    assert SECRET not in row.sealed_secret
    page = signed_in(alpha, Role.ADMIN).get(PATH).content.decode()
    assert SECRET not in page
    assert row.sealed_secret not in page
    with schema_context(alpha.schema):
        assert SECRET not in str(list(AuditEvent.objects.values()))
        assert providers.client(row, "").secret == SECRET


def test_an_empty_secret_keeps_the_one_of_the_same_issuer_only(alpha: Cast, issuer: Issuer) -> None:
    """Another issuer would get it at the first sign-in."""
    save(alpha, issuer.url)
    save(alpha, issuer.url, client_secret="", label="Renamed")
    row = stored(alpha)
    assert row is not None
    assert row.sealed_secret
    save(alpha, "https://evil.example", client_secret="", is_active="")
    row = stored(alpha)
    assert row is not None
    assert row.sealed_secret == ""


@pytest.mark.parametrize(
    ("document", "words"),
    [({"issuer": "https://evil.example"}, "another issuer"), ({"token_endpoint": "ftp://x/"}, "lacks an address"),
     ({"jwks_uri": None}, "lacks an address"), ({"authorization_endpoint": "javascript:alert(1)"}, "lacks an address")],
    ids=str,
)  # fmt: skip
def test_a_provider_that_is_not_as_it_says_is_refused(
    document: dict[str, Any], words: str, alpha: Cast, issuer: Issuer
) -> None:
    issuer.document = document
    assert words in save(alpha, issuer.url)
    assert stored(alpha) is None


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "http://localhost", "http://169.254.169.254", "file:///etc/passwd", "x"]
)
def test_addresses_inside_are_not_asked(address: str, alpha: Cast) -> None:
    """Trap 41, with nothing allowed."""
    assert 'class="problem"' in save(alpha, address)
    assert stored(alpha) is None


def test_what_changes_is_audited(alpha: Cast, issuer: Issuer) -> None:
    save(alpha, issuer.url)
    save(alpha, issuer.url, client_secret="", newcomer_role="viewer", newcomer_domains=" Example.com,b.example ")
    with schema_context(alpha.schema):
        first, second = AuditEvent.objects.filter(event="identity_provider.changed").order_by("id")
    assert first.detail["client_secret"] == "replaced"
    assert second.detail == {"newcomer_role": "none → viewer", "newcomer_domains": "none → example.com,b.example"}


@pytest.mark.parametrize("domains", ["", "*", "@example.com", "example", "a b.com", ".com", "exa_mple.com"])
def test_newcomers_need_domains(domains: str, alpha: Cast, issuer: Issuer) -> None:
    assert 'class="problem"' in save(alpha, issuer.url, newcomer_role="viewer", newcomer_domains=domains)


def test_nobody_comes_in_as_admin(alpha: Cast, issuer: Issuer) -> None:
    assert 'class="problem"' in save(alpha, issuer.url, newcomer_role="admin", newcomer_domains="a.example")


def test_it_asks_who_one_is(alpha: Cast) -> None:
    assert alpha.client(Role.ADMIN).get(PATH)["Location"].startswith("/confirm?")


def test_the_redirect_address_is_this_tenants(alpha: Cast) -> None:
    page = signed_in(alpha, Role.ADMIN).get(PATH).content.decode()
    assert "http://alpha.localhost/sign-in/provider/callback" in page
