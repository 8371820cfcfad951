"""The People page, joining by an invitation, and a new password by a link."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from django.core import mail
from django_tenants.utils import schema_context

from accounts import mail as portal_mail
from accounts.models import AuditEvent, Link, Role, User
from tests.cast import PASSWORD, Cast
from tests.receivers import mailing

FRESH = "a much better horse 7"
JOIN = {"name": "Ann", "password": FRESH, "again": FRESH}


def path_in(text: str) -> str:
    found = re.search(r"http://alpha\.localhost(/(?:invitation|new-password)/pfl_[0-9a-f]{16}_[A-Za-z0-9_-]{43})", text)
    assert found, text
    return found[1]


def invite(cast: Cast, email: str = "ann@example.com", role: str = "analyst") -> Any:
    return cast.client(Role.ADMIN).post("/manage/people/invite", {"email": email, "role": role})


def pk(cast: Cast, role: Role) -> int:
    return int(cast.user(role).pk)


def test_the_invited_person_joins_and_is_in(alpha: Cast) -> None:
    path = path_in(invite(alpha).content.decode())
    browser = alpha.client()
    page = browser.get(path)
    assert "ann@example.com" in page.content.decode()
    assert page["Referrer-Policy"] == "strict-origin"
    assert browser.post(path, JOIN)["Location"] == "/"
    assert browser.get("/").status_code == 200
    assert alpha.client().get(path).status_code == 404
    with schema_context(alpha.schema):
        assert User.objects.get(email="ann@example.com").role == Role.ANALYST


def test_the_link_is_shown_once(alpha: Cast) -> None:
    path = path_in(invite(alpha).content.decode())
    text = alpha.client(Role.ADMIN).get("/manage/people").content.decode()
    assert path not in text
    assert "ann@example.com" in text


@pytest.mark.parametrize(
    "wrong",
    [{"again": "another horse 77"}, {"password": "short", "again": "short"}, {"name": ""},
     {"password": "ann@example.com", "again": "ann@example.com"}],
    ids=["not the same", "short", "no name", "own e-mail"],
)  # fmt: skip
def test_a_bad_form_makes_no_account_and_leaves_the_link(alpha: Cast, wrong: dict[str, str]) -> None:
    path = path_in(invite(alpha).content.decode())
    answer = alpha.client().post(path, {**JOIN, **wrong})
    assert 'class="problem"' in answer.content.decode()
    assert alpha.client().get(path).status_code == 200
    with schema_context(alpha.schema):
        assert not User.objects.filter(email="ann@example.com").exists()


def test_the_other_partners_host_does_not_know_the_link(alpha: Cast, beta: Cast) -> None:
    """Trap 26."""
    path = path_in(invite(alpha).content.decode())
    assert beta.client().get(path).status_code == 404
    assert beta.client().post(path, JOIN).status_code == 404


def test_whoever_was_signed_in_is_not_any_more_when_another_joins(alpha: Cast) -> None:
    path = path_in(invite(alpha).content.decode())
    browser = alpha.client(Role.ADMIN)
    browser.post(path, JOIN)
    assert browser.get("/manage/people").status_code == 403


@pytest.mark.parametrize("bad", [{"email": "ann"}, {"email": "admin@alpha.example"}, {"role": "owner"}])
def test_what_cannot_be_invited_is_said_at_the_field(alpha: Cast, bad: dict[str, str]) -> None:
    answer = invite(alpha, bad.get("email", "ann@example.com"), bad.get("role", "viewer"))
    assert 'class="problem"' in answer.content.decode()
    with schema_context(alpha.schema):
        assert not Link.objects.exists()


def test_an_admin_offers_a_new_password_and_the_old_session_ends(alpha: Cast) -> None:
    theirs = alpha.client(Role.VIEWER)
    text = alpha.client(Role.ADMIN).post(f"/manage/people/{pk(alpha, Role.VIEWER)}/reset").content.decode()
    path = path_in(text)
    browser = alpha.client()
    assert browser.get(path).status_code == 200
    assert theirs.get("/").status_code == 200
    assert browser.post(path, {"password": FRESH, "again": FRESH}).status_code == 302
    assert browser.get("/").status_code == 200
    assert theirs.get("/").status_code == 302
    assert alpha.client().get(path).status_code == 404


def test_the_last_admin_is_told_why_not(alpha: Cast) -> None:
    client, own = alpha.client(Role.ADMIN), pk(alpha, Role.ADMIN)
    for path, fields in (("role", {"role": "viewer"}), ("deactivate", {})):
        answer = client.post(f"/manage/people/{own}/{path}", fields, follow=True)
        assert "is the last active Admin" in answer.content.decode()
    assert alpha.user(Role.ADMIN).is_active


def test_a_demoted_person_loses_the_page_with_the_next_request(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        second = User.objects.create_user("second@alpha.example", PASSWORD, role=Role.ADMIN)
    theirs = alpha.client()
    theirs.post("/sign-in", {"email": second.email, "password": PASSWORD})
    assert theirs.get("/manage/people").status_code == 200
    alpha.client(Role.ADMIN).post(f"/manage/people/{second.pk}/role", {"role": "viewer"})
    assert theirs.get("/manage/people").status_code == 403
    alpha.client(Role.ADMIN).post(f"/manage/people/{second.pk}/deactivate")
    assert theirs.get("/").status_code == 302


def test_reactivating_gives_the_role_back(alpha: Cast) -> None:
    client, analyst = alpha.client(Role.ADMIN), pk(alpha, Role.ANALYST)
    client.post(f"/manage/people/{analyst}/deactivate")
    assert "deactivated" in client.get("/manage/people").content.decode()
    client.post(f"/manage/people/{analyst}/reactivate")
    answer = alpha.client().post("/sign-in", {"email": "analyst@alpha.example", "password": PASSWORD})
    assert answer.status_code == 302


def test_people_that_are_not_here_are_not_found(alpha: Cast) -> None:
    assert alpha.client(Role.ADMIN).post("/manage/people/999999/deactivate").status_code == 404


def test_hostile_names_are_text(alpha: Cast) -> None:
    """Trap 40."""
    with schema_context(alpha.schema):
        User.objects.create_user("x@example.com", name="<script>alert(1)</script>")
    assert "<script>alert" not in alpha.client(Role.ADMIN).get("/manage/people").content.decode()


def test_many_people_cost_no_more_queries(alpha: Cast, django_assert_num_queries: Any) -> None:
    """The path, the session, the user, the settings, the people, who has a second factor, the invitations."""
    client = alpha.client(Role.ADMIN)
    with schema_context(alpha.schema):
        for number in range(5):
            User.objects.create_user(f"more{number}@alpha.example")
    client.get("/manage/people")
    with django_assert_num_queries(7):
        client.get("/manage/people")


def test_without_mail_nobody_is_promised_any(alpha: Cast) -> None:
    assert alpha.client().get("/forgot").status_code == 404
    assert "/forgot" not in alpha.client().get("/sign-in").content.decode()
    assert "Pass it on to ann@example.com alone" in invite(alpha).content.decode()


def test_an_invitation_is_mailed(alpha: Cast, settings: Any) -> None:
    settings.SENDS_MAIL = True
    text = invite(alpha).content.decode()
    assert "It was mailed to ann@example.com" in text
    assert path_in(str(mail.outbox[0].body)) == path_in(text)
    assert mail.outbox[0].to == ["ann@example.com"]


def test_a_mail_server_that_is_away_leaves_the_link(
    alpha: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> int:
        raise ConnectionRefusedError

    settings.SENDS_MAIL = True
    monkeypatch.setattr("accounts.mail.send_mail", away)
    text = invite(alpha).content.decode()
    assert "The mail could not be sent" in text
    assert path_in(text)


def test_forgotten_passwords_read_the_same_for_everybody(
    alpha: Cast, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SENDS_MAIL = True
    monkeypatch.setattr(portal_mail, "send_later", portal_mail.send)
    with schema_context(alpha.schema):
        User.objects.create_user("off@alpha.example", is_active=False)
    asked = ("viewer@alpha.example", "nobody@alpha.example", "off@alpha.example", "viewer@beta.example")
    answers = [alpha.client().post("/forgot", {"email": email}).content.decode() for email in asked]
    assert len({answer.replace(email, "") for answer, email in zip(answers, asked, strict=True)}) == 1
    assert [message.to for message in mail.outbox] == [["viewer@alpha.example"]]
    path = path_in(str(mail.outbox[0].body))
    assert alpha.client().post(path, {"password": FRESH, "again": FRESH}).status_code == 302


def test_a_forgotten_password_goes_through_a_real_mail_server(alpha: Cast, settings: Any) -> None:
    with mailing() as server:
        settings.SENDS_MAIL, settings.EMAIL_HOST, settings.EMAIL_PORT = True, "127.0.0.1", server.port
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        alpha.client().post("/forgot", {"email": "viewer@alpha.example"})
        for _ in range(500):
            if server.got:
                break
            time.sleep(0.01)
        (message,) = server.mails()
    assert (message["To"], message["Subject"]) == ("viewer@alpha.example", "New password: Alpha")
    path = path_in(message.get_content())
    answer = alpha.client().post(path, {"password": FRESH, "again": FRESH})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_no_password_and_no_link_is_in_the_audit_log(alpha: Cast) -> None:
    """Trap 43."""
    path = path_in(invite(alpha).content.decode())
    alpha.client().post(path, JOIN)
    with schema_context(alpha.schema):
        text = repr(list(AuditEvent.objects.values()))
    assert FRESH not in text
    assert path.rsplit("_", 1)[-1] not in text
