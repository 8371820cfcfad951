"""The pages of the platform's operator: at its own host, for its Admins, and nothing anywhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import Link, Role
from core.tenancy import schema_context
from partners.models import Domain, Partner
from portal.urls import urlpatterns
from tests import samples
from tests.cast import Cast
from tests.portal.operating import events, make_operator, row

ENTER = {"role": "viewer", "reason": "Ticket 12", "minutes": "60"}


@dataclass(frozen=True)
class Page:
    name: str
    path: str
    method: str = "get"
    status: int = 200


PAGES = (
    Page("operator", "/operator"),
    Page("operator-open", "/operator/open"),
    Page("operator-partner", "/operator/partners/beta"),
    Page("operator-terms", "/operator/partners/beta/terms", "post", 302),
    Page("operator-suspend", "/operator/partners/beta/suspend", "post", 302),
    Page("operator-resume", "/operator/partners/beta/resume", "post", 302),
    Page("operator-enter", "/operator/partners/beta/enter", "post"),
)
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


@pytest.fixture
def operator(alpha: Cast, beta: Cast) -> Cast:
    make_operator(alpha)
    return alpha


def send(client: Client, page: Page) -> Any:
    return getattr(client, page.method)(page.path)


def test_this_table_has_every_page_of_the_operator() -> None:
    declared = {pattern.name for pattern in urlpatterns if hasattr(pattern.callback, "operator_only")}
    assert declared == {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_at_any_other_host_there_is_nothing_for_anyone_by_any_method(page: Page, operator: Cast, beta: Cast) -> None:
    for client in (beta.client(), *(beta.client(role) for role in Role)):
        for method in METHODS:
            assert getattr(client, method)(page.path).status_code == 404, method


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_at_its_own_host_only_admins_may(page: Page, operator: Cast) -> None:
    assert send(operator.client(Role.ADMIN), page).status_code == page.status
    for role in (Role.ANALYST, Role.VIEWER):
        assert send(operator.client(role), page).status_code == 403
    assert send(operator.client(), page)["Location"].startswith("/sign-in")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_customers_admin_is_nobody_at_the_operators_host(page: Page, operator: Cast, beta: Cast) -> None:
    client = operator.client()
    client.cookies = beta.client(Role.ADMIN).cookies
    assert send(client, page).status_code == 302


@pytest.mark.parametrize("page", [page for page in PAGES if page.method == "post"], ids=lambda page: page.name)
def test_a_form_without_its_token_changes_nothing(page: Page, operator: Cast) -> None:
    assert send(operator.client(Role.ADMIN, enforce_csrf_checks=True), page).status_code == 403


def test_the_menu_has_partners_at_the_operators_host_only(operator: Cast, beta: Cast) -> None:
    assert 'href="/operator"' in operator.client(Role.ADMIN).get("/").content.decode()
    assert 'href="/operator"' not in operator.client(Role.VIEWER).get("/").content.decode()
    assert 'href="/operator"' not in beta.client(Role.ADMIN).get("/").content.decode()


def test_the_list_shows_state_machines_volume_and_last_upload(operator: Cast, beta: Cast) -> None:
    body = samples.csv(samples.recent(), [1.0, 2.0, 3.0])
    upload = beta.machine_client().post("/api/v1/performance/upload", body, content_type="text/csv")
    assert upload.status_code == 201
    text = operator.client(Role.ADMIN).get("/operator").content.decode()
    beta_row = text.split("/operator/partners/beta")[1].split("</tr>")[0]
    assert 'data-label="Machines" class="number">1<' in beta_row
    assert 'data-label="Rows, 24 h" class="number">3<' in beta_row
    assert "<time" in beta_row
    assert "no end" in beta_row
    assert "operator" in text.split("alpha.localhost")[1].split("</tr>")[0]


def test_many_partners_are_shown_in_pages_and_found_by_name_or_host(
    operator: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.partners.PAGE_SIZE", 1)
    client = operator.client(Role.ADMIN)
    first, second = (client.get(f"/operator?page={page}").content.decode() for page in (1, 2))
    assert "alpha.localhost" in first
    assert "beta.localhost" not in first
    assert "beta.localhost" in second
    assert "beta.localhost" in client.get("/operator?q=BETA.local").content.decode()
    assert client.get("/operator?q=%00&page=x").status_code == 200
    assert "No partner matches" in client.get("/operator?q=gamma").content.decode()


def test_suspending_locks_out_at_once_and_resuming_lets_in_again(operator: Cast, beta: Cast) -> None:
    client, there = operator.client(Role.ADMIN), beta.client(Role.VIEWER)
    assert there.get("/").status_code == 200
    client.post("/operator/partners/beta/suspend")
    assert there.get("/").status_code == 403
    assert "close_partner beta --dump" in client.get("/operator/partners/beta").content.decode()
    client.post("/operator/partners/beta/resume")
    assert there.get("/").status_code == 200
    assert [event.detail for event in events(operator, "partner.suspended")] == [
        {"partner": "beta", "active": "True → none"}
    ]
    assert events(beta, "partner.suspended")[0].user == "operator:admin@alpha.example"
    assert len(events(beta, "partner.resumed")) == 1


def test_terms_are_set_and_audited_on_both_sides(operator: Cast, beta: Cast) -> None:
    terms = {"paid_until": "2031-01-31", "info_url": "https://example.com/pay"}
    operator.client(Role.ADMIN).post("/operator/partners/beta/terms", terms)
    assert (row(beta).paid_until, row(beta).info_url) == (date(2031, 1, 31), "https://example.com/pay")
    assert events(operator, "partner.terms_changed")[0].detail["paid_until"] == "none → 2031-01-31"
    assert events(beta, "partner.terms_changed")[0].user == "operator:admin@alpha.example"
    operator.client(Role.ADMIN).post("/operator/partners/beta/terms", {"paid_until": "", "info_url": ""})
    assert row(beta).paid_until is None


def test_a_partner_past_its_day_is_unpaid_and_told_where_to_read_more(operator: Cast, beta: Cast) -> None:
    yesterday = (timezone.now() - timedelta(days=1)).date().isoformat()
    terms = {"paid_until": yesterday, "info_url": "https://example.com/pay"}
    operator.client(Role.ADMIN).post("/operator/partners/beta/terms", terms)
    answer = beta.client().get("/sign-in")
    assert answer.status_code == 403
    assert "https://example.com/pay" in answer.content.decode()
    assert "unpaid" in operator.client(Role.ADMIN).get("/operator").content.decode()


@pytest.mark.parametrize("bad", [{"paid_until": "soon"}, {"info_url": "javascript:alert(1)"}], ids=str)
def test_wrong_terms_are_said_and_change_nothing(operator: Cast, beta: Cast, bad: dict[str, str]) -> None:
    answer = operator.client(Role.ADMIN).post("/operator/partners/beta/terms", bad)
    assert 'class="problem"' in answer.content.decode()
    assert not events(operator, "partner.terms_changed")


@pytest.mark.parametrize("schema", ["alpha", "public", "nobody", "pg_catalog"])
def test_the_operators_own_and_unknown_partners_cannot_be_changed(operator: Cast, schema: str) -> None:
    client = operator.client(Role.ADMIN)
    for step, data in (("suspend", {}), ("resume", {}), ("terms", {}), ("enter", ENTER)):
        assert client.post(f"/operator/partners/{schema}/{step}", data).status_code == 404, step
    assert client.get(f"/operator/partners/{schema}").status_code == 404
    assert row(operator).active


def test_nobody_enters_a_suspended_partner(operator: Cast, beta: Cast) -> None:
    client = operator.client(Role.ADMIN)
    client.post("/operator/partners/beta/suspend")
    assert "Resume it first" in client.post("/operator/partners/beta/enter", ENTER).content.decode()
    assert not events(operator, "visit.granted")


GOOD = {
    "title": "Gamma & Sons", "name": "gamma", "host": "Gamma.localhost.", "admin_email": "ann@gamma.example",
    "retention_days": "30",
}  # fmt: skip


def test_a_partner_is_opened_with_an_invitation_of_its_first_admin(operator: Cast, settings: Any) -> None:
    settings.SENDS_MAIL = True
    text = operator.client(Role.ADMIN).post("/operator/open", GOOD).content.decode()
    assert "It was mailed to ann@gamma.example" in text
    path = text.split("http://gamma.localhost")[1].split("<")[0].strip()
    assert path in str(mail.outbox[0].body)
    assert "Invitation for Gamma & Sons at gamma.localhost" in str(mail.outbox[0].body)
    joined = {"name": "Ann", "password": "a long good password", "again": "a long good password"}
    ann = Client(headers={"host": "gamma.localhost"})
    assert ann.post(path, joined).status_code == 302
    assert ann.get("/manage/people").status_code == 200
    with schema_context("public"):
        made = Partner.objects.get(schema_name="gamma")
    assert (made.name, made.retention_days, made.is_operator) == ("Gamma & Sons", 30, False)
    assert "gamma" in [event.detail.get("partner") for event in events(operator, "partner.opened")]


@pytest.mark.parametrize(
    "bad",
    [{"name": "public"}, {"name": "Gamma"}, {"name": "pg_x"}, {"host": "beta.localhost"}, {"host": "a b"},
     {"host": "10.0.0.1"}, {"name": "beta"}, {"admin_email": "nobody"}, {"retention_days": "1"}, {"title": ""}],
    ids=str,
)  # fmt: skip
def test_a_partner_that_cannot_be_opened_is_said_and_leaves_nothing(operator: Cast, bad: dict[str, str]) -> None:
    answer = operator.client(Role.ADMIN).post("/operator/open", GOOD | bad)
    assert answer.status_code == 200
    assert 'role="alert"' in answer.content.decode()
    with schema_context("public"):
        assert Partner.objects.count() == 2
        assert Domain.objects.count() == 2


def test_the_way_in_is_for_the_customers_host_and_no_secret_is_written_down(operator: Cast, beta: Cast) -> None:
    text = operator.client(Role.ADMIN).post("/operator/partners/beta/enter", ENTER).content.decode()
    secret = text.split("http://beta.localhost/visit/")[1].split('"')[0]
    granted = events(operator, "visit.granted")[0]
    assert granted.detail == {"partner": "beta", "role": "viewer", "reason": "Ticket 12", "minutes": 60}
    assert secret.rsplit("_", 1)[-1] not in repr(granted.detail)
    with schema_context(beta.schema):
        assert not Link.objects.filter(link_id__in=secret.split("_")).exists()


@pytest.mark.parametrize(
    "bad", [{"reason": ""}, {"minutes": "241"}, {"minutes": "0"}, {"role": "analyst"}, {"role": "x"}], ids=str
)
def test_a_visit_needs_a_reason_a_time_and_an_access(operator: Cast, bad: dict[str, str]) -> None:
    answer = operator.client(Role.ADMIN).post("/operator/partners/beta/enter", ENTER | bad)
    assert 'class="problem"' in answer.content.decode()
    assert not events(operator, "visit.granted")
