"""Authenticator app and recovery codes: set up, asked for at sign-in, removed, reset by an Admin."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.conf import settings as running
from django.core import mail
from django.core.cache import caches
from django.test import Client

from accounts import factors, mfa, people
from accounts import mail as portal_mail
from accounts.models import AuditEvent, Role, Session, User
from accounts.sessions import SessionStore
from core import sealed
from core.tenancy import schema_context
from portal.security import SETTING_UP
from tests.cast import PASSWORD, Cast

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code(secret: str = SECRET, *, ahead: int = 0) -> str:
    """What an app shows now, or so many half minutes later."""
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30 + ahead)))


def give_app(cast: Cast, role: Role) -> list[str]:
    """The person has an app with SECRET; the recovery codes."""
    with schema_context(cast.schema):
        return factors.add_app(cast.user(role), SECRET, ip=None)


def password_step(cast: Cast, role: Role = Role.VIEWER, **fields: str) -> Client:
    client = cast.client()
    answer = client.post("/sign-in", {"email": f"{role}@alpha.example", "password": PASSWORD, **fields})
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/factor")
    return client


def signed_in(cast: Cast, role: Role = Role.VIEWER) -> Client:
    """By the sign-in page, so that the session counts as confirmed."""
    client = cast.client()
    client.post("/sign-in", {"email": f"{role}@alpha.example", "password": PASSWORD})
    return client


def events(cast: Cast, *names: str) -> list[AuditEvent]:
    with schema_context(cast.schema):
        return list(AuditEvent.objects.filter(event__in=names).order_by("id"))


def set_up(client: Client) -> tuple[str, str]:
    """The secret that the page shows, and the page after its first code."""
    page = client.get("/security/app").content.decode()
    found = re.search(r'aria-label="Key for the app"><code>([A-Z2-7 ]+)</code>', page)
    assert found, page
    secret = found[1].replace(" ", "")
    return secret, client.post("/security/app", {"code": code(secret)}).content.decode()


def test_an_app_is_set_up_with_its_first_code_and_gives_recovery_codes_once(alpha: Cast) -> None:
    client = signed_in(alpha)
    secret, page = set_up(client)
    assert "Your authenticator app is set up." in page
    assert len(re.findall(r"\b\d{5}-\d{5}\b", page)) == 10
    assert not re.findall(r"\b\d{5}-\d{5}\b", client.get("/security").content.decode())
    with schema_context(alpha.schema):
        assert secret not in str(list(Authenticator.objects.values_list("data", flat=True)))
    assert [event.detail for event in events(alpha, "factor.added")] == [{"factor": "totp"}]


def test_the_secret_is_sealed_while_it_waits_for_its_first_code(alpha: Cast) -> None:
    client = signed_in(alpha)
    page = client.get("/security/app").content.decode()
    with schema_context(alpha.schema):
        waiting = SessionStore().decode(Session.objects.get().session_data)[SETTING_UP]
        secret = sealed.unseal(waiting, mfa.PURPOSE)
    assert secret[:4] in page
    assert secret not in waiting


def test_a_wrong_first_code_sets_nothing_up(alpha: Cast) -> None:
    client = signed_in(alpha)
    client.get("/security/app")
    assert "not what the app should show" in client.post("/security/app", {"code": "000000"}).content.decode()
    with schema_context(alpha.schema):
        assert not Authenticator.objects.exists()


def test_setting_up_signs_other_browsers_out(alpha: Cast) -> None:
    elsewhere, here = signed_in(alpha), signed_in(alpha)
    set_up(here)
    assert elsewhere.get("/").status_code == 302
    assert here.get("/").status_code == 200


def test_the_password_alone_is_no_session(alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    assert client.get("/")["Location"].startswith("/sign-in?")
    assert client.get("/api/v1/collectors").status_code == 401
    assert client.get("/sign-in/factor").status_code == 200
    with schema_context(alpha.schema):
        assert [session.user_id for session in Session.objects.all()] == [None]


def test_the_code_of_the_app_opens_what_one_was_going_to(alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    client = password_step(alpha, next="/machines/server1")
    halfway = client.cookies[running.SESSION_COOKIE_NAME].value
    assert client.post("/sign-in/factor", {"code": code()})["Location"] == "/machines/server1"
    assert client.get("/").status_code == 200
    assert client.cookies[running.SESSION_COOKIE_NAME].value != halfway
    assert events(alpha, "sign_in")[-1].detail == {"way": "password", "factor": "totp"}


def test_a_code_works_once_and_none_before_it(alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    assert password_step(alpha).post("/sign-in/factor", {"code": code(ahead=1)}).status_code == 302
    for late in (code(ahead=1), code()):
        answer = password_step(alpha).post("/sign-in/factor", {"code": late})
        assert answer.status_code == 200
        assert "wrong, was used, or is too old" in answer.content.decode()


@pytest.mark.parametrize("wrong", ["000000", "", "x" * 33, "١٢٣٤٥٦", "\0", "12345 ", "00000-00000"])
def test_a_wrong_code_opens_nothing(wrong: str, alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    assert client.post("/sign-in/factor", {"code": wrong}).status_code == 200
    assert client.get("/").status_code == 302


def test_a_recovery_code_works_once(alpha: Cast) -> None:
    first, second, *_ = give_app(alpha, Role.VIEWER)
    assert password_step(alpha).post("/sign-in/factor", {"code": first}).status_code == 302
    assert password_step(alpha).post("/sign-in/factor", {"code": first}).status_code == 200
    plain = second.replace("-", " ")
    assert password_step(alpha).post("/sign-in/factor", {"code": plain}).status_code == 302
    assert [event.detail["left"] for event in events(alpha, "recovery_code.used")] == [9, 8]


def test_after_a_few_wrong_codes_it_starts_again_at_the_password(alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    answers = [client.post("/sign-in/factor", {"code": "000000"}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 302]
    assert client.post("/sign-in/factor", {"code": code()})["Location"] == "/sign-in"
    assert len(events(alpha, "sign_in_failed")) == 5


def test_codes_for_one_account_are_limited_from_every_address(alpha: Cast, settings: Any) -> None:
    settings.SECOND_FACTOR_RATE = "3/h"
    give_app(alpha, Role.VIEWER)
    answers = [
        password_step(alpha).post("/sign-in/factor", {"code": "000000"}, REMOTE_ADDR=f"192.0.2.{number}")
        for number in range(4)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert password_step(alpha).post("/sign-in/factor", {"code": code()}).status_code == 429


def test_codes_from_one_address_are_limited(alpha: Cast, settings: Any) -> None:
    give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    settings.SIGN_IN_RATE = "2/m"
    statuses = [client.post("/sign-in/factor", {"code": "000000"}).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]


def test_the_second_step_is_closed_while_the_cache_is_away(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trap 31."""

    def away(*_: object, **__: object) -> None:
        raise OSError

    give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    monkeypatch.setattr(type(caches["shared"]), "add", away)
    monkeypatch.setattr(type(caches["shared"]), "incr", away)
    assert client.post("/sign-in/factor", {"code": code()}).status_code == 429
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "changed meanwhile"}], ids=str)
def test_a_first_step_ends_when_the_account_changes(change: dict[str, Any], alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    with schema_context(alpha.schema):
        User.objects.filter(email="viewer@alpha.example").update(**change)
    assert client.post("/sign-in/factor", {"code": code()})["Location"] == "/sign-in"


def test_a_first_step_ends_after_ten_minutes(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    now = time.time()
    monkeypatch.setattr("portal.entering.time.time", lambda: now + 601)
    assert client.get("/sign-in/factor")["Location"] == "/sign-in"


def test_a_first_step_of_one_tenant_is_none_in_another(alpha: Cast, beta: Cast) -> None:
    """Trap 26."""
    give_app(alpha, Role.VIEWER)
    stolen = beta.client()
    stolen.cookies = password_step(alpha).cookies
    assert stolen.get("/sign-in/factor")["Location"] == "/sign-in"


def test_a_link_to_a_new_password_does_not_pass_the_second_step(alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    with schema_context(alpha.schema):
        secret = people.offer_reset(alpha.user(Role.VIEWER), actor="test", ip=None)
    client, fresh = alpha.client(), "a much better horse 7"
    answer = client.post(f"/new-password/{secret}", {"password": fresh, "again": fresh})
    assert answer["Location"] == "/sign-in/factor"
    assert client.get("/").status_code == 302
    assert client.post("/sign-in/factor", {"code": code()})["Location"] == "/"


def test_a_secret_that_cannot_be_read_lets_nobody_in(alpha: Cast, settings: Any) -> None:
    give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    with schema_context(alpha.schema):
        Authenticator.objects.update(data={"secret": "spoiled", "seed": "spoiled", "used_mask": 0})
    assert client.post("/sign-in/factor", {"code": code()}).status_code == 200
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("path", ["/security/app", "/security/passkeys/begin", "/security/recovery-codes"])
def test_changing_factors_asks_who_one_is(path: str, alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    client = alpha.client(Role.VIEWER)
    assert client.post(path)["Location"].startswith("/confirm?")


@pytest.mark.parametrize(
    ("proof", "good"),
    [({"password": PASSWORD}, True), ({"password": "wrong"}, False), ({"code": "000000"}, False), ({}, False)],
    ids=str,
)
def test_the_password_confirms_and_a_wrong_one_does_not(proof: dict[str, str], good: bool, alpha: Cast) -> None:
    client = alpha.client(Role.VIEWER)
    answer = client.post("/confirm?next=/security/app", proof)
    assert answer.status_code == (302 if good else 200)
    assert client.get("/security/app").status_code == (200 if good else 302)
    assert len(events(alpha, "confirm_failed")) == (0 if good else 1)


def test_a_code_confirms(alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    client = alpha.client(Role.VIEWER)
    assert client.post("/confirm", {"code": code(), "next": "/security/app"})["Location"] == "/security/app"
    assert client.get("/security/app").status_code == 200


def test_confirming_is_limited(alpha: Cast, settings: Any) -> None:
    settings.SIGN_IN_RATE = "2/m"
    client = alpha.client(Role.VIEWER)
    assert [client.post("/confirm", {"password": "wrong"}).status_code for _ in range(3)] == [200, 200, 429]


def test_new_recovery_codes_replace_the_old_ones(alpha: Cast) -> None:
    old = give_app(alpha, Role.VIEWER)
    client = password_step(alpha)
    client.post("/sign-in/factor", {"code": code()})
    new = re.findall(r"\b\d{5}-\d{5}\b", client.post("/security/recovery-codes").content.decode())
    assert len(new) == 10
    assert password_step(alpha).post("/sign-in/factor", {"code": old[0]}).status_code == 200
    assert password_step(alpha).post("/sign-in/factor", {"code": new[0]}).status_code == 302
    assert len(events(alpha, "recovery_codes.made")) == 1


def test_removing_the_last_factor_removes_the_recovery_codes(alpha: Cast) -> None:
    client = signed_in(alpha)
    set_up(client)
    with schema_context(alpha.schema):
        app = Authenticator.objects.get(type="totp").pk
    assert client.post(f"/security/{app}/remove").status_code == 302
    with schema_context(alpha.schema):
        assert not Authenticator.objects.exists()
    assert signed_in(alpha).get("/").status_code == 200
    assert [event.detail for event in events(alpha, "factor.removed")] == [{"factor": "totp"}]


def test_nobody_removes_the_factor_of_somebody_else(alpha: Cast) -> None:
    give_app(alpha, Role.ADMIN)
    with schema_context(alpha.schema):
        app = Authenticator.objects.get(type="totp").pk
    client = signed_in(alpha)
    assert client.post(f"/security/{app}/remove").status_code == 404
    assert client.post(f"/security/passkeys/{app}/rename", {"name": "mine"}).status_code == 404


def test_an_admin_resets_the_factors_of_somebody_who_lost_them(alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    theirs, admin = alpha.client(Role.VIEWER), signed_in(alpha, Role.ADMIN)
    person = alpha.user(Role.VIEWER).pk
    assert "2 steps" in admin.get("/manage/people").content.decode()
    admin.post(f"/manage/people/{person}/reset-factors")
    assert theirs.get("/").status_code == 302
    assert signed_in(alpha).get("/").status_code == 200
    event = events(alpha, "factors.reset")[0]
    assert (event.user, event.detail) == ("admin@alpha.example", {"of": "viewer@alpha.example"})


def test_an_admin_proves_who_they_are_before_resetting(alpha: Cast) -> None:
    give_app(alpha, Role.VIEWER)
    answer = alpha.client(Role.ADMIN).post(f"/manage/people/{alpha.user(Role.VIEWER).pk}/reset-factors")
    assert answer["Location"] == "/confirm?next=%2Fmanage%2Fpeople"
    with schema_context(alpha.schema):
        assert Authenticator.objects.exists()


def test_an_admin_does_not_get_around_confirming_by_resetting_their_own(alpha: Cast) -> None:
    client = signed_in(alpha, Role.ADMIN)
    give_app(alpha, Role.ADMIN)
    assert client.post(f"/manage/people/{alpha.user(Role.ADMIN).pk}/reset-factors").status_code == 400
    with schema_context(alpha.schema):
        assert Authenticator.objects.exists()


def test_the_person_is_told_by_mail(
    alpha: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    settings.SENDS_MAIL = True
    monkeypatch.setattr(portal_mail, "send_later", portal_mail.send)
    client = signed_in(alpha)
    with django_capture_on_commit_callbacks(execute=True):
        secret, page = set_up(client)
    (message,) = mail.outbox
    assert message.to == ["viewer@alpha.example"]
    assert "You added an authenticator app" in message.body
    assert not [shown for shown in (secret, *re.findall(r"\d{5}-\d{5}", page)) if shown in str(message.body)]


def test_no_code_and_no_secret_is_in_the_audit_log(alpha: Cast) -> None:
    """Trap 43."""
    codes = give_app(alpha, Role.VIEWER)
    password_step(alpha).post("/sign-in/factor", {"code": codes[0]})
    with schema_context(alpha.schema):
        told = str(list(AuditEvent.objects.values()))
    assert SECRET not in told
    assert codes[0] not in told
