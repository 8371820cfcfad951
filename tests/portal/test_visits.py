"""The operator inside a customer's tenant: once by a link, for a while, as little as asked for, and never unseen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import factors, people, visits
from accounts.models import AuditEvent, Role, Session, TenantSettings, User, Visit
from core.errors import ServiceError
from core.tenancy import schema_context
from tests.cast import MACHINE, Cast
from tests.portal.operating import events, make_operator

WHO = "operator:admin@alpha.example"


@pytest.fixture(autouse=True)
def _operator(alpha: Cast, beta: Cast) -> None:
    make_operator(alpha)


def way_in(alpha: Cast, role: str = "viewer", minutes: int = 60) -> str:
    asked = {"role": role, "reason": "Ticket <12>", "minutes": str(minutes)}
    text = alpha.client(Role.ADMIN).post("/operator/partners/beta/enter", asked).content.decode()
    return "/visit/" + str(text.split("http://beta.localhost/visit/")[1].split('"')[0])


def inside(alpha: Cast, beta: Cast, role: str = "viewer", minutes: int = 60) -> Client:
    client = beta.client()
    answer = client.post(way_in(alpha, role, minutes))
    assert (answer.status_code, answer["Location"]) == (302, "/")
    return client


def visitor(beta: Cast) -> User:
    with schema_context(beta.schema):
        return User.objects.get(email=WHO)


def test_looking_at_the_link_uses_nothing_up_and_says_what_it_does(alpha: Cast, beta: Cast) -> None:
    path = way_in(alpha)
    for _ in range(2):
        text = beta.client().get(path).content.decode()
        assert "read only" in text
        assert "Ticket &lt;12&gt;" in text
    assert beta.client().get("/").status_code == 302


def test_the_link_works_once_and_at_no_other_host(alpha: Cast, beta: Cast) -> None:
    path = way_in(alpha)
    assert alpha.client().post(path).status_code == 404
    assert beta.client().post(path).status_code == 302
    assert beta.client().post(path).status_code == 404


def test_the_link_expires(alpha: Cast, beta: Cast) -> None:
    path = way_in(alpha)
    with schema_context(beta.schema):
        Visit.objects.update(link_expires_at=timezone.now() - timedelta(seconds=1))
    assert beta.client().post(path).status_code == 404


@pytest.mark.parametrize("secret", ["", "x", "pfv_a_b", "pfl_" + "a" * 16 + "_" + "b" * 43])
def test_a_guessed_link_is_nothing(alpha: Cast, beta: Cast, secret: str) -> None:
    way_in(alpha)
    assert beta.client().post(f"/visit/{secret}").status_code == 404


def test_a_wrong_secret_of_a_right_visit_is_nothing(alpha: Cast, beta: Cast) -> None:
    path = way_in(alpha)
    assert beta.client().post(path[:-4] + "AAAA").status_code == 404
    assert beta.client().post(path).status_code == 302


def test_read_only_sees_and_changes_nothing(alpha: Cast, beta: Cast) -> None:
    client = inside(alpha, beta)
    assert client.get(f"/machines/{MACHINE}").status_code == 200
    assert client.get("/api/v1/collectors").status_code == 200
    for path in ("/manage/people", "/manage/settings", "/manage/audit", "/add", "/reports"):
        assert client.get(path).status_code == 403, path
    assert client.delete(f"/api/v1/collectors/{MACHINE}").status_code == 403


def test_as_admin_it_may_help_and_every_action_is_the_operators(alpha: Cast, beta: Cast) -> None:
    client = inside(alpha, beta, "admin")
    client.post("/manage/people/invite", {"email": "new@beta.example", "role": "viewer"})
    assert events(beta, "user.invited")[0].user == WHO


def test_a_visitor_has_no_account_tokens_or_sessions_of_its_own(alpha: Cast, beta: Cast) -> None:
    """What would outlive the visit is refused, also to an Admin."""
    client = inside(alpha, beta, "admin")
    for path in ("/tokens", "/password", "/sessions"):
        assert client.get(path).status_code == 403, path
    made = client.post("/tokens/make", {"name": "x", "scope": "admin", "days": "1"})
    assert made.status_code == 403
    assert "/tokens" not in client.get("/").content.decode()


def test_the_page_says_that_one_is_inside_and_why(alpha: Cast, beta: Cast) -> None:
    text = inside(alpha, beta).get("/").content.decode()
    assert "You are inside Beta as its operator, read only." in text
    assert "Ticket &lt;12&gt;" in text
    assert "as its operator" not in beta.client(Role.ADMIN).get("/").content.decode()


def test_the_customers_audit_log_has_who_why_and_when(alpha: Cast, beta: Cast) -> None:
    client = inside(alpha, beta, minutes=30)
    entered = events(beta, "operator.entered")[0]
    assert (entered.user, entered.detail["reason"], entered.detail["role"]) == (WHO, "Ticket <12>", "viewer")
    client.post("/sign-out")
    left = events(beta, "operator.left")[0]
    assert (left.user, left.detail["ended_by"]) == (WHO, WHO)
    assert left.detail["visit"] == entered.detail["visit"]
    assert client.get("/").status_code == 302


def test_time_ends_it(alpha: Cast, beta: Cast) -> None:
    client = inside(alpha, beta, "admin")
    with schema_context(beta.schema):
        session = Session.objects.get(user=visitor(beta))
        assert session.expire_date <= timezone.now() + timedelta(minutes=60)
        User.objects.filter(email=WHO).update(active_until=timezone.now())
    assert client.get("/").status_code == 403
    with schema_context(beta.schema):
        assert visits.end_overdue(timezone.now() + timedelta(minutes=59)) == 0
        assert visits.end_overdue(timezone.now() + timedelta(minutes=61)) == 1
        assert visits.end_overdue(timezone.now() + timedelta(minutes=61)) == 0
    assert client.get("/").status_code == 302
    assert events(beta, "operator.left")[0].detail["ended_by"] == "time"


def test_an_admin_of_the_customer_sees_the_visit_and_ends_it(alpha: Cast, beta: Cast) -> None:
    client, admin = inside(alpha, beta), beta.client(Role.ADMIN)
    text = admin.get("/manage/visits").content.decode()
    assert WHO in text
    assert "Ticket &lt;12&gt;" in text
    path = text.split('action="/manage/visits/')[1].split('"')[0]
    assert admin.post(f"/manage/visits/{path}").status_code == 302
    assert client.get("/").status_code == 302
    assert events(beta, "operator.left")[0].detail["ended_by"] == "admin@beta.example"


def test_a_new_visit_of_the_same_person_ends_the_one_before(alpha: Cast, beta: Cast) -> None:
    first = inside(alpha, beta, "admin")
    second = inside(alpha, beta, "viewer")
    assert first.get("/").status_code == 302
    assert second.get("/").status_code == 200
    assert second.get("/manage/people").status_code == 403


def test_who_was_signed_in_at_that_browser_is_not_any_more(alpha: Cast, beta: Cast) -> None:
    client = beta.client(Role.ADMIN)
    client.post(way_in(alpha))
    assert client.get("/manage/people").status_code == 403


@pytest.mark.parametrize("step", ["role", "deactivate", "reactivate", "reset"])
def test_the_customers_admin_cannot_edit_or_promote_the_visitor(alpha: Cast, beta: Cast, step: str) -> None:
    client = inside(alpha, beta)
    admin = beta.client(Role.ADMIN)
    answer = admin.post(f"/manage/people/{visitor(beta).pk}/{step}", {"role": "admin"})
    assert answer.status_code == 404
    assert WHO not in admin.get("/manage/people").content.decode()
    assert client.get("/manage/people").status_code == 403


def test_a_visitor_is_no_admin_who_would_let_the_last_one_go(alpha: Cast, beta: Cast) -> None:
    inside(alpha, beta, "admin")
    with schema_context(beta.schema), pytest.raises(ServiceError, match="last active Admin"):
        people.deactivate(beta.user(Role.ADMIN), actor="test", ip=None)


@pytest.mark.parametrize("password", ["", "!", "x"])
def test_a_visitor_cannot_sign_in_by_password(alpha: Cast, beta: Cast, password: str) -> None:
    inside(alpha, beta)
    answer = beta.client().post("/sign-in", {"email": WHO, "password": password})
    assert answer.status_code == 200
    assert "sign_in" not in [event.event for event in _all(beta)]


def _all(cast: Cast) -> list[Any]:
    with schema_context(cast.schema):
        return list(AuditEvent.objects.all())


def test_no_secret_is_kept_in_clear(alpha: Cast, beta: Cast) -> None:
    secret = way_in(alpha).rsplit("_", 1)[-1]
    with schema_context(beta.schema):
        assert secret not in repr(list(Visit.objects.values()))
    assert secret not in repr([event.detail for event in (*_all(alpha), *_all(beta))])


def test_who_has_no_second_factor_enters_nobody_who_asks_for_one(alpha: Cast, beta: Cast) -> None:
    with schema_context(beta.schema):
        TenantSettings.objects.update(require_mfa=True)
    client = alpha.client(Role.ADMIN)
    asked = {"role": "viewer", "reason": "x", "minutes": "60"}
    assert "Set one up" in client.post("/operator/partners/beta/enter", asked).content.decode()
    with schema_context(alpha.schema):
        session = client.session
        session[factors.SECOND] = True
        session.save()
    text = client.post("/operator/partners/beta/enter", asked).content.decode()
    inside_beta = beta.client()
    inside_beta.post("/visit/" + text.split("http://beta.localhost/visit/")[1].split('"')[0])
    assert inside_beta.get("/").status_code == 200
