"""Signing in, joining and linking with the tenant's identity provider, against one that really runs and signs."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from django.test import Client

from accounts import people, providers
from accounts.models import AuditEvent, Identity, Role, User
from core.tenancy import schema_context
from tests.cast import PASSWORD, Cast
from tests.portal.issuer import CLIENT, SECRET, Issuer, new_key, running_issuer
from tests.portal.test_second_factor import code, give_app, signed_in

VIEWER = "viewer@alpha.example"


def set_up(cast: Cast, issuer: Issuer, **more: Any) -> None:
    wanted = {"issuer": issuer.url, "client_id": CLIENT, "label": "Company", "is_active": True, "newcomer_role": "",
              "newcomer_domains": "company.example",
              "two_steps": False}  # fmt: skip
    with schema_context(cast.schema):
        providers.change({**wanted, **more}, SECRET, actor="test", ip=None)


@pytest.fixture
def issuer(alpha: Cast, settings: Any) -> Iterator[Issuer]:
    settings.OUTGOING_ALLOW = ["127.0.0.0/8"]
    with running_issuer() as running:
        set_up(alpha, running)
        yield running


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def at_the_provider(url: str) -> str:
    """What the browser does there; the path and query with which it comes back."""
    try:
        urllib.request.build_opener(_Stay).open(url, timeout=10)
    except urllib.error.HTTPError as answer:
        return str(answer.headers["Location"]).split("localhost", 1)[1]
    raise AssertionError("the provider sent nobody back")


def go(client: Client, path: str = "/sign-in/provider") -> Any:
    """There and back; the answer to coming back."""
    answer = client.get(path)
    assert answer.status_code == 302, answer.content
    return client.get(at_the_provider(answer["Location"]))


def linked(cast: Cast, issuer: Issuer, email: str = VIEWER) -> None:
    with schema_context(cast.schema):
        Identity.objects.create(user=User.objects.get(email=email), issuer=issuer.url, subject=issuer.person["sub"])


def events(cast: Cast, name: str) -> list[AuditEvent]:
    with schema_context(cast.schema):
        return list(AuditEvent.objects.filter(event=name).order_by("id"))


def is_refused(client: Client, answer: Any, code: str = "AUTH_007") -> bool:
    return code in answer.content.decode() and client.get("/").status_code == 302


def test_a_linked_person_signs_in(alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    client = alpha.client()
    answer = go(client, "/sign-in/provider?next=/machines/server1")
    assert answer["Location"] == "/machines/server1"
    assert client.get("/").status_code == 200
    event = events(alpha, "sign_in")[-1]
    assert (event.user, event.detail) == (VIEWER, {"way": "identity provider", "factor": "none"})


def test_the_button_is_there_only_with_a_provider(alpha: Cast, beta: Cast, issuer: Issuer) -> None:
    assert "Sign in with Company" in alpha.client().get("/sign-in").content.decode()
    assert "Sign in with Company" not in beta.client().get("/sign-in").content.decode()
    assert beta.client().get("/sign-in/provider").status_code == 404


def test_an_equal_e_mail_links_nobody(alpha: Cast, issuer: Issuer) -> None:
    set_up(alpha, issuer, newcomer_role=Role.VIEWER)
    issuer.person["email"] = VIEWER
    set_up(alpha, issuer, newcomer_role=Role.VIEWER, newcomer_domains="alpha.example")
    client = alpha.client()
    answer = go(client)
    assert is_refused(client, answer)
    assert "not linked" in answer.content.decode()
    with schema_context(alpha.schema):
        assert not Identity.objects.exists()


def test_a_stranger_is_refused_where_only_the_invited_come_in(alpha: Cast, issuer: Issuer) -> None:
    client = alpha.client()
    assert is_refused(client, go(client))
    assert events(alpha, "sign_in_failed")[-1].detail["way"] == "identity provider"


def test_a_newcomer_gets_the_role_that_the_admin_chose(alpha: Cast, issuer: Issuer) -> None:
    set_up(alpha, issuer, newcomer_role=Role.ANALYST)
    client = alpha.client()
    assert go(client)["Location"] == "/"
    with schema_context(alpha.schema):
        user = User.objects.get(email="ann@company.example")
    assert (user.role, user.name, user.has_usable_password()) == ("analyst", "Ann Other", False)
    assert go(alpha.client()).status_code == 302


@pytest.mark.parametrize(
    "email", [{"email_verified": False}, {"email": "no address"}, {"email": ["x"]}, {"email": None}]
)
def test_a_newcomer_needs_a_verified_e_mail(email: dict[str, Any], alpha: Cast, issuer: Issuer) -> None:
    set_up(alpha, issuer, newcomer_role=Role.ANALYST)
    issuer.lies = email
    issuer.userinfo = {"sub": "u-1"}
    client = alpha.client()
    assert is_refused(client, go(client))


@pytest.mark.parametrize("email", ["x@evil.example", "x@sub.company.example", "x@company.example.evil.example"])
def test_a_newcomer_comes_from_a_domain_that_the_admin_named(email: str, alpha: Cast, issuer: Issuer) -> None:
    set_up(alpha, issuer, newcomer_role=Role.VIEWER)
    issuer.person["email"] = email
    client = alpha.client()
    assert is_refused(client, go(client))


def test_the_e_mail_may_come_from_userinfo_of_the_same_person(alpha: Cast, issuer: Issuer) -> None:
    set_up(alpha, issuer, newcomer_role=Role.VIEWER)
    issuer.lies = {"email": None}
    issuer.userinfo = {"sub": "somebody else", "email": "x@company.example"}
    client = alpha.client()
    assert is_refused(client, go(client))
    issuer.userinfo = {"sub": "u-1", "email": "x@company.example"}
    assert go(client)["Location"] == "/"


def test_an_invitation_is_accepted_with_the_provider(alpha: Cast, issuer: Issuer) -> None:
    with schema_context(alpha.schema):
        secret = people.invite("new@alpha.example", Role.ANALYST, actor="test", ip=None)
    client = alpha.client()
    assert "Join with Company" in client.get(f"/invitation/{secret}").content.decode()
    assert go(client, f"/invitation/{secret}/provider")["Location"] == "/"
    with schema_context(alpha.schema):
        user = User.objects.get(email="new@alpha.example")
        assert user.identities.get().subject == "u-1"
    assert user.role == "analyst"
    assert client.get(f"/invitation/{secret}/provider").status_code == 404


def test_an_invitation_that_was_withdrawn_meanwhile_lets_nobody_in(alpha: Cast, issuer: Issuer) -> None:
    with schema_context(alpha.schema):
        secret = people.invite("new@alpha.example", Role.ANALYST, actor="test", ip=None)
    client = alpha.client()
    back = at_the_provider(client.get(f"/invitation/{secret}/provider")["Location"])
    with schema_context(alpha.schema):
        people.invite("new@alpha.example", Role.VIEWER, actor="test", ip=None)
    assert is_refused(client, client.get(back), "PEOPLE_003")


def link_url(client: Client) -> str:
    page = client.post("/security/identities/link").content.decode()
    return str(page.split('primary wide" href="')[1].split('"')[0]).replace("&amp;", "&")


def test_a_person_links_their_account_and_unlinks_it(alpha: Cast, issuer: Issuer) -> None:
    client = signed_in(alpha)
    assert client.get(at_the_provider(link_url(client)))["Location"] == "/security"
    assert "ann@company.example" in client.get("/security").content.decode()
    assert go(alpha.client()).status_code == 302
    with schema_context(alpha.schema):
        pk = Identity.objects.get().pk
    assert signed_in(alpha, Role.ADMIN).post(f"/security/identities/{pk}/unlink").status_code == 404
    assert client.post(f"/security/identities/{pk}/unlink").status_code == 302
    other = alpha.client()
    assert is_refused(other, go(other))
    assert len(events(alpha, "identity.linked")) == len(events(alpha, "identity.unlinked")) == 1


def test_linking_is_for_who_began_it(alpha: Cast, issuer: Issuer) -> None:
    client = signed_in(alpha)
    back = at_the_provider(link_url(client))
    stranger = signed_in(alpha, Role.ADMIN)
    assert "AUTH_007" in stranger.get(back).content.decode()
    client.post("/sign-out")
    assert "AUTH_007" in client.get(back).content.decode()
    with schema_context(alpha.schema):
        assert not Identity.objects.exists()


def test_linking_needs_a_form_and_a_fresh_proof(alpha: Cast, issuer: Issuer) -> None:
    assert alpha.client(Role.VIEWER).post("/security/identities/link")["Location"].startswith("/confirm")
    assert signed_in(alpha).get("/security/identities/link").status_code == 405


def test_what_is_somebody_elses_is_not_linked_again(alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    client = signed_in(alpha, Role.ADMIN)
    assert "belongs to somebody else" in client.get(at_the_provider(link_url(client))).content.decode()


def test_the_only_way_in_is_not_unlinked(alpha: Cast, issuer: Issuer) -> None:
    set_up(alpha, issuer, newcomer_role=Role.VIEWER)
    client = alpha.client()
    go(client)
    with schema_context(alpha.schema):
        pk = Identity.objects.get().pk
    assert "only way in" in client.post(f"/security/identities/{pk}/unlink").content.decode()


NOW = int(time.time())
LIES: list[dict[str, Any]] = [
    {"iss": "https://evil.example"}, {"aud": "another"}, {"aud": ["portal", "another"]}, {"azp": "another"},
    {"exp": NOW - 600}, {"iat": NOW + 6000}, {"nonce": "another"}, {"sub": None}, {"sub": ""}, {"sub": 7},
    {"nonce": None}, {"exp": None}, {"iat": None}, {"iss": None}, {"aud": None}, {"nbf": NOW + 6000},
    {"sub": "x" * 256},
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_a_token_that_is_not_quite_right_is_refused(lie: dict[str, Any], alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    issuer.lies = lie
    client = alpha.client()
    assert is_refused(client, go(client))
    assert events(alpha, "sign_in_failed")[-1].status == "refused"


def test_a_token_that_another_key_signed_is_refused(alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    issuer.signing_key = new_key()
    client = alpha.client()
    assert is_refused(client, go(client))


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_token_without_a_signature_of_the_providers_key_is_refused(
    algorithm: str, alpha: Cast, issuer: Issuer
) -> None:
    linked(alpha, issuer)
    issuer.algorithm, issuer.signing_key = algorithm, "" if algorithm == "none" else SECRET * 2
    client = alpha.client()
    if algorithm == "none":
        issuer.id_token = lambda nonce: jwt.encode({"sub": "u-1", "nonce": nonce}, "", "none")  # type: ignore[method-assign]
    assert is_refused(client, go(client))


def test_an_answer_works_once(alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    client = alpha.client()
    back = at_the_provider(client.get("/sign-in/provider")["Location"])
    assert client.get(back).status_code == 302
    client.post("/sign-out")
    assert is_refused(client, client.get(back))


def test_an_answer_that_failed_is_used_up_too(alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    client = alpha.client()
    back = at_the_provider(client.get("/sign-in/provider")["Location"])
    state = back.split("state=")[1]
    assert is_refused(client, client.get(f"/sign-in/provider/callback?state={state}&error=access_denied"))
    assert is_refused(client, client.get(back))


def test_another_browsers_answer_is_refused(alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    victim = alpha.client()
    victim.get("/sign-in/provider")
    back = at_the_provider(alpha.client().get("/sign-in/provider")["Location"])
    assert is_refused(victim, victim.get(back))


def test_another_tenants_answer_is_refused(alpha: Cast, beta: Cast, issuer: Issuer) -> None:
    """The same issuer, client and person: the state and the account are Alpha's."""
    linked(alpha, issuer)
    set_up(beta, issuer)
    client = beta.client()
    client.get("/sign-in/provider")
    back = at_the_provider(alpha.client().get("/sign-in/provider")["Location"])
    assert is_refused(client, client.get(back))
    assert is_refused(client, go(client))


def test_an_answer_is_too_old_after_ten_minutes(alpha: Cast, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    linked(alpha, issuer)
    client = alpha.client()
    back = at_the_provider(client.get("/sign-in/provider")["Location"])
    now = time.time()
    monkeypatch.setattr("portal.identity.time.time", lambda: now + 601)
    assert is_refused(client, client.get(back))


@pytest.mark.parametrize("more", ["&iss=https://evil.example", "&error=evil%3Cscript%3E&code="])
def test_an_answer_with_something_wrong_is_refused(more: str, alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    client = alpha.client()
    answer = client.get(at_the_provider(client.get("/sign-in/provider")["Location"]).split("&code")[0] + more)
    assert "<script>" not in answer.content.decode()
    assert client.get("/").status_code == 302


def test_a_guessed_code_is_refused(alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    client = alpha.client()
    state = client.get("/sign-in/provider")["Location"].split("state=")[1].split("&")[0]
    assert is_refused(client, client.get(f"/sign-in/provider/callback?state={state}&code=x"), "AUTH_008")


def test_an_answer_is_refused_when_the_admin_changed_the_provider_meanwhile(alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    client = alpha.client()
    back = at_the_provider(client.get("/sign-in/provider")["Location"])
    set_up(alpha, issuer, client_id="another")
    assert is_refused(client, client.get(back))


def test_an_account_that_is_switched_off_is_refused(alpha: Cast, issuer: Issuer) -> None:
    linked(alpha, issuer)
    with schema_context(alpha.schema):
        User.objects.filter(email=VIEWER).update(is_active=False)
    client = alpha.client()
    assert is_refused(client, go(client))


@pytest.mark.parametrize("two_steps", [False, True])
def test_the_own_second_factor_is_asked_unless_the_provider_asks_for_one(
    two_steps: bool, alpha: Cast, issuer: Issuer
) -> None:
    set_up(alpha, issuer, two_steps=two_steps)
    linked(alpha, issuer)
    give_app(alpha, Role.VIEWER)
    client = alpha.client()
    assert go(client)["Location"] == ("/" if two_steps else "/sign-in/factor")
    if not two_steps:
        assert client.get("/").status_code == 302
        assert client.post("/sign-in/factor", {"code": code()})["Location"] == "/"


def test_coming_back_is_limited(alpha: Cast, issuer: Issuer, settings: Any) -> None:
    settings.SIGN_IN_RATE = "2/m"
    client = alpha.client()
    assert [client.get("/sign-in/provider/callback").status_code for _ in range(3)] == [403, 403, 429]


def test_a_provider_inside_is_not_asked_unless_the_operator_allows_it(
    alpha: Cast, issuer: Issuer, settings: Any
) -> None:
    """Trap 41."""
    settings.OUTGOING_ALLOW = []
    answer = alpha.client().get("/sign-in/provider")
    assert answer.status_code == 502
    assert "OUTGOING_ALLOW" in answer.content.decode()
    assert issuer.asked == []


def test_nothing_secret_is_in_the_audit_log(alpha: Cast, issuer: Issuer) -> None:
    """Trap 43."""
    linked(alpha, issuer)
    go(alpha.client())
    issuer.lies = {"nonce": "another"}
    go(alpha.client())
    with schema_context(alpha.schema):
        told = str(list(AuditEvent.objects.values()))
    assert SECRET not in told
    assert "eyJ" not in told
    assert PASSWORD not in told
