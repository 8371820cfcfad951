"""Sign in, sign out, change the password."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import caches
from django.test import Client
from django_tenants.utils import schema_context

from accounts import people
from accounts.models import AuditEvent, Role, User
from tests.cast import PASSWORD, Cast

ADDRESS = "/sign-in"


def sign_in(client: Client, email: str, password: str = PASSWORD, **fields: str) -> Any:
    return client.post(ADDRESS, {"email": email, "password": password, **fields})


def events(cast: Cast) -> list[tuple[str, str, str]]:
    with schema_context(cast.schema):
        return list(AuditEvent.objects.order_by("id").values_list("event", "user", "status"))


def test_the_right_password_opens_the_fleet(alpha: Cast) -> None:
    client = alpha.client()
    answer = sign_in(client, " Viewer@Alpha.example ")
    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert client.get("/").status_code == 200
    assert events(alpha)[-1] == ("sign_in", "viewer@alpha.example", "success")


def test_sign_in_makes_a_new_session(alpha: Cast) -> None:
    client = alpha.client(Role.VIEWER)
    before = client.cookies[settings.SESSION_COOKIE_NAME].value
    sign_in(client, "admin@alpha.example")
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != before


@pytest.mark.parametrize(
    ("email", "password"),
    [("viewer@alpha.example", "wrong"), ("nobody@alpha.example", PASSWORD), ("viewer@beta.example", PASSWORD)],
)
def test_unknown_account_and_wrong_password_read_the_same(email: str, password: str, alpha: Cast) -> None:
    answer = sign_in(alpha.client(), email, password)
    assert answer.status_code == 200
    assert "E-mail or password is wrong." in answer.content.decode()
    assert events(alpha)[-1] == ("sign_in_failed", email, "refused")
    assert PASSWORD not in answer.content.decode()


def test_an_account_that_is_switched_off_reads_the_same(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        User.objects.filter(email="viewer@alpha.example").update(is_active=False)
    assert "E-mail or password is wrong." in sign_in(alpha.client(), "viewer@alpha.example").content.decode()


@pytest.mark.parametrize("wanted", ["/machines/server1?range=7d", "/add"])
def test_it_leads_back_to_where_one_was_going(wanted: str, alpha: Cast) -> None:
    assert sign_in(alpha.client(), "admin@alpha.example", next=wanted)["Location"] == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "http://beta.localhost/",
        "///evil.example",
        "",
    ],
)
def test_it_never_leads_to_another_host(wanted: str, alpha: Cast) -> None:
    assert sign_in(alpha.client(), "admin@alpha.example", next=wanted)["Location"] == "/"


def test_attempts_of_one_address_are_limited(alpha: Cast, settings: Any) -> None:
    settings.SIGN_IN_RATE = "3/m"
    answers = [sign_in(alpha.client(), f"a{number}@alpha.example", "wrong") for number in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert "RATE_001" in answers[-1].content.decode()


def test_attempts_on_one_account_are_limited_from_every_address(alpha: Cast, settings: Any) -> None:
    settings.SIGN_IN_RATE = "3/m"
    statuses = [
        alpha.client()
        .post(ADDRESS, {"email": "admin@alpha.example", "password": "wrong"}, REMOTE_ADDR=f"192.0.2.{number}")
        .status_code
        for number in range(4)
    ]
    assert statuses == [200, 200, 200, 429]


def test_the_limit_of_an_account_is_its_partners_own(alpha: Cast, beta: Cast, settings: Any) -> None:
    settings.SIGN_IN_RATE = "2/m"
    same = {"email": "shared@example.com", "password": "wrong"}
    statuses = [
        cast.client().post(ADDRESS, same, REMOTE_ADDR=f"192.0.2.{number}").status_code
        for number, cast in enumerate([alpha, alpha, beta, beta, alpha])
    ]
    assert statuses == [200, 200, 200, 200, 429]


def test_sign_in_is_closed_while_the_cache_is_away(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(type(caches["shared"]), "add", away)
    monkeypatch.setattr(type(caches["shared"]), "incr", away)
    answer = sign_in(alpha.client(), "admin@alpha.example")
    assert answer.status_code == 429
    assert answer["Retry-After"]


def test_a_signed_in_person_is_not_asked_again(alpha: Cast) -> None:
    assert alpha.client(Role.VIEWER).get(ADDRESS)["Location"] == "/"


def test_signing_out_ends_the_session(alpha: Cast) -> None:
    client = alpha.client(Role.ANALYST)
    stolen = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert client.post("/sign-out")["Location"] == "/sign-in"
    thief = alpha.client()
    thief.cookies[settings.SESSION_COOKIE_NAME] = stolen
    assert thief.get("/").status_code == 302
    assert events(alpha)[-1][0] == "sign_out"


def test_a_changed_password_signs_other_browsers_out(alpha: Cast) -> None:
    here, elsewhere = alpha.client(Role.VIEWER), alpha.client(Role.VIEWER)
    fresh = "a much better horse 7"
    answer = here.post("/password", {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh})
    assert answer.status_code == 302
    assert here.get("/").status_code == 200
    assert elsewhere.get("/").status_code == 302
    assert sign_in(alpha.client(), "viewer@alpha.example", fresh).status_code == 302
    assert "password_changed" in [event for event, _, _ in events(alpha)]


def test_a_changed_password_ends_links_to_a_new_one(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        secret = people.offer_reset(alpha.user(Role.VIEWER), actor="test", ip=None)
    fresh = "a much better horse 7"
    fields = {"old_password": PASSWORD, "new_password1": fresh, "new_password2": fresh}
    assert alpha.client().get(f"/new-password/{secret}").status_code == 200
    alpha.client(Role.VIEWER).post("/password", fields)
    assert alpha.client().get(f"/new-password/{secret}").status_code == 404


def test_whoever_has_no_password_sets_a_first_one_after_a_fresh_proof(alpha: Cast) -> None:
    """They came from the identity provider."""
    client = alpha.client()
    sign_in(client, "viewer@alpha.example")
    with schema_context(alpha.schema):
        user = alpha.user(Role.VIEWER)
        user.set_unusable_password()
        user.save()
        client.force_login(user)
    fresh = {"new_password1": "a much better horse 7", "new_password2": "a much better horse 7"}
    assert client.post("/password", fresh)["Location"].startswith("/confirm?")
    session = client.session
    session["confirmed_at"] = time.time()
    with schema_context(alpha.schema):
        session.save()
    assert client.post("/password", fresh)["Location"] == "/"
    assert sign_in(alpha.client(), "viewer@alpha.example", fresh["new_password1"]).status_code == 302


def test_guesses_of_the_old_password_are_limited(alpha: Cast, settings: Any) -> None:
    settings.SIGN_IN_RATE = "2/m"
    client = alpha.client(Role.VIEWER)
    fields = {"old_password": "wrong", "new_password1": "x", "new_password2": "x"}
    addresses = [f"192.0.2.{number}" for number in range(3)]
    statuses = [client.post("/password", fields, REMOTE_ADDR=address).status_code for address in addresses]
    assert statuses == [200, 200, 429]


def test_the_old_password_is_asked_for(alpha: Cast) -> None:
    fields = {
        "old_password": "wrong",
        "new_password1": "a much better horse 7",
        "new_password2": "a much better horse 7",
    }
    answer = alpha.client(Role.VIEWER).post("/password", fields)
    assert answer.status_code == 200
    assert "entered incorrectly" in answer.content.decode()
