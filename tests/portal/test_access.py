"""Every page, as each role, as the other partner's Admin and as nobody."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import URLPattern
from django_tenants.utils import schema_context

from accounts import people, roles, tokens, visits
from accounts.models import Identity, Role, Scope
from alerts.models import Alert, Kind, Rule, Severity, Silence
from alerts.models import State as AlertState
from alerts.sending import channels
from collectors import registry
from portal.urls import urlpatterns
from reports.jobs import links, schedules
from reports.jobs.models import Every, Report, ReportFile, State
from reports.jobs.schedules import Plan
from tests.cast import MACHINE, Cast
from tests.portal.authenticator import Device

CHANNEL = "CHANNEL"
TOKEN, LINK, PERSON, REPORT, SHARED = "TOKEN", "LINK", "PERSON", "REPORT", "SHARED"
OWN, SESSION, FACTOR, IDENTITY = "OWN", "SESSION", "FACTOR", "IDENTITY"
SCHEDULE = "SCHEDULE"
"""Stand in a path for ids: of an enrolment token, an invitation, a person, a report, a link to it; of the caller's own
token, session, passkey and identity at the provider."""
VISIT = "VISIT"
ALERT, RULE, SILENCE = "ALERT", "RULE", "SILENCE"


@dataclass(frozen=True)
class Page:
    """An address, its method, and the status for a role that may (nobody is sent to sign in unless `open`)."""

    name: str
    path: str
    least: Role | None
    method: str = "get"
    status: int = 200


PAGES = (
    Page("fleet", "/", Role.VIEWER),
    Page("machine", f"/machines/{MACHINE}", Role.VIEWER),
    Page("machine-filesystems", f"/machines/{MACHINE}/filesystems", Role.VIEWER),
    Page("compare", "/compare", Role.VIEWER),
    Page("sign-in", "/sign-in", None),
    Page("sign-in-factor", "/sign-in/factor", None),
    Page("provider", "/sign-in/provider", None),
    Page("provider-callback", "/sign-in/provider/callback", None),
    Page("sign-in-passkey", "/sign-in/passkey", None, "post"),
    Page("passkey-challenge", "/passkey/challenge", None, "post"),
    Page("sign-out", "/sign-out", Role.VIEWER, "post", 302),
    Page("password", "/password", Role.VIEWER),
    Page("forgot", "/forgot", None),
    Page("invitation", "/invitation/unknown", None),
    Page("join-with-provider", "/invitation/unknown/provider", None),
    Page("new-password", "/new-password/unknown", None),
    Page("confirm", "/confirm", Role.VIEWER),
    Page("security", "/security", Role.VIEWER),
    Page("set-up-app", "/security/app", Role.VIEWER, status=302),  # to confirm, here and below
    Page("make-recovery-codes", "/security/recovery-codes", Role.VIEWER, "post", 302),
    Page("begin-passkey", "/security/passkeys/begin", Role.VIEWER, "post", 302),
    Page("add-passkey", "/security/passkeys", Role.VIEWER, "post", 302),
    Page("rename-passkey", f"/security/passkeys/{FACTOR}/rename", Role.VIEWER, "post", 302),
    Page("remove-factor", f"/security/{FACTOR}/remove", Role.VIEWER, "post", 302),
    Page("link-identity", "/security/identities/link", Role.VIEWER, "post", 302),
    Page("unlink-identity", f"/security/identities/{IDENTITY}/unlink", Role.VIEWER, "post", 302),
    Page("sessions", "/sessions", Role.VIEWER),
    Page("end-all-sessions", "/sessions/end-all", Role.VIEWER, "post", 302),
    Page("end-session", f"/sessions/{SESSION}/end", Role.VIEWER, "post", 302),
    Page("people", "/manage/people", Role.ADMIN),
    Page("invite", "/manage/people/invite", Role.ADMIN, "post"),
    Page("change-role", f"/manage/people/{PERSON}/role", Role.ADMIN, "post", 400),
    Page("deactivate", f"/manage/people/{PERSON}/deactivate", Role.ADMIN, "post", 302),
    Page("reactivate", f"/manage/people/{PERSON}/reactivate", Role.ADMIN, "post", 302),
    Page("offer-reset", f"/manage/people/{PERSON}/reset", Role.ADMIN, "post"),
    Page("reset-factors", f"/manage/people/{PERSON}/reset-factors", Role.ADMIN, "post", 302),
    Page("withdraw-invitation", f"/manage/invitations/{LINK}/withdraw", Role.ADMIN, "post", 302),
    Page("audit", "/manage/audit", Role.ADMIN),
    Page("export-audit", "/manage/audit/export.csv", Role.ADMIN),
    Page("identity-provider", "/manage/identity-provider", Role.ADMIN, status=302),
    Page("settings", "/manage/settings", Role.ADMIN),
    Page("channels", "/manage/channels", Role.ADMIN),
    Page("make-channel", "/manage/channels/make", Role.ADMIN, "post"),
    Page("channel", f"/manage/channels/{CHANNEL}", Role.ADMIN),
    Page("test-channel", f"/manage/channels/{CHANNEL}/test", Role.ADMIN, "post", 302),
    Page("switch-channel", f"/manage/channels/{CHANNEL}/switch", Role.ADMIN, "post", 302),
    Page("renew-channel-secret", f"/manage/channels/{CHANNEL}/secret", Role.ADMIN, "post"),
    Page("delete-channel", f"/manage/channels/{CHANNEL}/delete", Role.ADMIN, "post", 302),
    Page("brand-logo", "/brand/unknown/logo.png", None),
    Page("brand-colour", "/brand/unknown/colour.css", None),
    Page("tokens", "/tokens", Role.VIEWER),
    Page("make-own-token", "/tokens/make", Role.VIEWER, "post"),
    Page("revoke-own-token", f"/tokens/{OWN}/revoke", Role.VIEWER, "post", 302),
    Page("machines", "/manage/machines", Role.ADMIN),
    Page("register-machine", "/manage/machines/register", Role.ADMIN, "post"),
    Page("rotate-machine-key", f"/manage/machines/{MACHINE}/rotate-key", Role.ADMIN, "post"),
    Page("set-machine-tags", f"/manage/machines/{MACHINE}/tags", Role.ADMIN, "post", 302),
    Page("retire-machine", f"/manage/machines/{MACHINE}/retire", Role.ADMIN, "post", 302),
    Page("alerts", "/alerts", Role.VIEWER),
    Page("alert-history", "/alerts/history", Role.VIEWER),
    Page("alert-rules", "/alerts/rules", Role.VIEWER),
    Page("new-alert-rule", "/alerts/rules/new", Role.ANALYST),
    Page("rehearse-alert-rule", "/alerts/rules/rehearse", Role.ANALYST, "post"),
    Page("export-alert-rules", "/alerts/rules/export.yaml", Role.VIEWER),
    Page("import-alert-rules", "/alerts/rules/import", Role.ANALYST, "post"),
    Page("alert-rule", f"/alerts/rules/{RULE}", Role.ANALYST),
    Page("switch-alert-rule", f"/alerts/rules/{RULE}/switch", Role.ANALYST, "post", 302),
    Page("delete-alert-rule", f"/alerts/rules/{RULE}/delete", Role.ANALYST, "post", 302),
    Page("alert-hygiene", "/alerts/hygiene", Role.VIEWER),
    Page("tune-alert-rule", f"/alerts/rules/{RULE}/tune", Role.ANALYST, "post", 302),
    Page("silences", "/alerts/silences", Role.VIEWER),
    Page("make-silence", "/alerts/silences/make", Role.ANALYST, "post"),
    Page("end-silence", f"/alerts/silences/{SILENCE}/end", Role.ANALYST, "post", 302),
    Page("alert", f"/alerts/{ALERT}", Role.VIEWER),
    Page("acknowledge-alert", f"/alerts/{ALERT}/acknowledge", Role.ANALYST, "post", 302),
    Page("withdraw-alert", f"/alerts/{ALERT}/withdraw", Role.ANALYST, "post", 302),
    Page("report-list", "/reports", Role.ANALYST),
    Page("ask-report", "/reports/ask", Role.ANALYST, "post"),
    Page("read-report", f"/reports/{REPORT}/report.pdf", Role.ANALYST),
    Page("delete-report", f"/reports/{REPORT}/delete", Role.ANALYST, "post", 302),
    Page("schedules", "/reports/schedules", Role.ANALYST),
    Page("make-schedule", "/reports/schedules/make", Role.ANALYST, "post"),
    Page("schedule", f"/reports/schedules/{SCHEDULE}", Role.ANALYST),
    Page("change-schedule", f"/reports/schedules/{SCHEDULE}/change", Role.ANALYST, "post"),
    Page("pause-schedule", f"/reports/schedules/{SCHEDULE}/pause", Role.ANALYST, "post", 302),
    Page("resume-schedule", f"/reports/schedules/{SCHEDULE}/resume", Role.ANALYST, "post", 302),
    Page("run-schedule", f"/reports/schedules/{SCHEDULE}/run", Role.ANALYST, "post", 302),
    Page("delete-schedule", f"/reports/schedules/{SCHEDULE}/delete", Role.ANALYST, "post", 302),
    Page("mail-again", f"/reports/schedules/{SCHEDULE}/mail-again/1", Role.ANALYST, "post", 404),
    Page("report-links", f"/reports/{REPORT}/links", Role.ANALYST),
    Page("share-report", f"/reports/{REPORT}/links/make", Role.ANALYST, "post"),
    Page("withdraw-report-link", f"/reports/{REPORT}/links/{SHARED}/withdraw", Role.ANALYST, "post", 302),
    Page("shared-report", "/shared/unknown", None, status=404),
    Page("shared-report-file", "/shared/unknown/report.pdf", None, status=404),
    Page("visit", "/visit/unknown", None),
    Page("visits", "/manage/visits", Role.ADMIN),
    Page("end-visit", f"/manage/visits/{VISIT}/end", Role.ADMIN, "post", 302),
    Page("add", "/add", Role.ADMIN),
    Page("make-token", "/add/token", Role.ADMIN, "post"),
    Page("arrivals", f"/add/token/{TOKEN}", Role.ADMIN),
    Page("revoke-token", f"/add/token/{TOKEN}/revoke", Role.ADMIN, "post", 302),
    Page("download-agent", "/download/perfagent.pyz", None),
    Page("install-script", "/install.sh", None),
)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
RANK = {Role.VIEWER: 0, Role.ANALYST: 1, Role.ADMIN: 2}


OPEN = (200, 302, 403, 404)
"""What an open page may answer: itself, the sign-in page, a refusal of what proves nothing, an unknown link."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}


def methods_of(name: str) -> tuple[str, ...]:
    """The methods that the view of that address declares."""
    return next(pattern.callback.methods for pattern in declared() if pattern.name == name)  # type: ignore[attr-defined]


def declared() -> list[URLPattern]:
    return [
        pattern
        for pattern in urlpatterns
        if pattern.name != "health" and not hasattr(pattern.callback, "operator_only")
    ]


@dataclass(frozen=True)
class Ids:
    """What the placeholders of a path stand for; of what belongs to a person, each role has its own."""

    shared: dict[str, str]
    own: dict[Role, dict[str, str]]

    def fill(self, path: str, role: Role = Role.ADMIN) -> str:
        for name, value in (self.shared | self.own[role]).items():
            path = path.replace(name, value)
        return path


def send(client: Client, page: Page, ids: Ids, role: Role = Role.ADMIN) -> Any:
    return getattr(client, page.method)(ids.fill(page.path, role))


@pytest.fixture
def ids(alpha: Cast) -> Ids:
    with schema_context(alpha.schema):
        invitation = people.invite("new@alpha.example", Role.VIEWER, actor="test", ip=None)
        report = Report.objects.create(start=LONG_AGO, end=LONG_AGO, public_id="f" * 16, state=State.DONE)
        ReportFile.objects.create(report=report, form="pdf", content=b"%PDF-")
        hook = channels.create("hook", "webhook", "https://hooks.invalid/x", actor="test", ip=None)
        shared = {
            CHANNEL: hook.channel.public_id,
            REPORT: report.public_id,
            **_watched(),
            SCHEDULE: schedules.make(Plan("t", Every.WEEK, 0, 6), LONG_AGO, actor="test", ip=None).public_id,
            SHARED: links.make(report.public_id, 1, actor="test", ip=None)[0].link_id,
            TOKEN: registry.make_enrolment_token(actor="test").public_id, LINK: invitation.public_id,
            PERSON: str(alpha.user(Role.ANALYST).pk), VISIT: _visit(alpha),
        }  # fmt: skip
        return Ids(shared, {role: _own(alpha, role) for role in Role})


def _watched() -> dict[str, str]:
    """An alert, a rule that has no part in it, and a silence."""
    fired = Alert.objects.create(
        rule_name="t", severity=Severity.INFO, target="cause:t", state=AlertState.FIRING, since=LONG_AGO,
        fired_at=LONG_AGO, evaluated_at=LONG_AGO,
    )  # fmt: skip
    rule = Rule.objects.create(name="t", kind=Kind.NO_DATA, grace_seconds=900)
    silence = Silence.objects.create(name="t", starts_at=LONG_AGO, ends_at=LONG_AGO)
    return {ALERT: fired.public_id, RULE: str(rule.pk), SILENCE: str(silence.pk)}


def _visit(cast: Cast) -> str:
    wish = visits.Wish(Role.VIEWER, "test", 60)
    return visits.grant(cast.schema, wish, operator=cast.user(Role.ADMIN), ip=None).public_id


def _own(cast: Cast, role: Role) -> dict[str, str]:
    user = cast.user(role)
    cast.client(role)
    session = user.sessions.get().public_id
    asked = {"user": {"id": "MQ"}, "rp": {"id": cast.host}, "challenge": "AAAA"}
    credential = json.loads(Device(f"http://{cast.host}").create({"publicKey": asked}))
    passkey = Authenticator.objects.create(user=user, type="webauthn", data={"name": "mine", "credential": credential})
    identity = Identity.objects.create(user=user, issuer="https://login.example.com", subject=user.email)
    return {
        FACTOR: str(passkey.pk), OWN: tokens.make(user, "test", Scope.READ, 1, ip=None).public_id, SESSION: session,
        IDENTITY: str(identity.pk),
    }  # fmt: skip


def test_every_address_declares_the_role_that_this_table_says() -> None:
    actions = {pattern.name: pattern.callback.action for pattern in declared()}  # type: ignore[attr-defined]
    assert {name: action and action.least for name, action in actions.items()} == {p.name: p.least for p in PAGES}
    assert {action for action in actions.values() if action} <= set(roles.MATRIX)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("role", list(Role))
def test_a_role_sees_what_it_may_and_nothing_else(page: Page, role: Role, alpha: Cast, ids: Ids) -> None:
    answer = send(alpha.client(role), page, ids, role)
    if page.least is None:
        assert answer.status_code in OPEN
    elif RANK[role] >= RANK[page.least]:
        assert answer.status_code == page.status, answer.content
    else:
        assert answer.status_code == 403
        assert "AUTH_003" in answer.content.decode()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.parametrize("role", list(Role))
def test_a_method_that_a_page_does_not_declare_does_nothing(page: Page, role: Role, alpha: Cast, ids: Ids) -> None:
    """Every method of HTTP at every address: the role is asked first, then the method."""
    client, path = alpha.client(role), ids.fill(page.path, role)
    refused = 405 if page.least is None or RANK[role] >= RANK[page.least] else 403
    for method in sorted(METHODS - set(methods_of(page.name))):
        assert client.generic(method, path).status_code == refused, method


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nobody_is_sent_to_sign_in_and_back(page: Page, alpha: Cast, ids: Ids) -> None:
    answer = send(alpha.client(), page, ids)
    if page.least is None:
        assert answer.status_code in OPEN
        return
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in?next=%2F")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_other_partners_admin_is_nobody_here(page: Page, alpha: Cast, beta: Cast, ids: Ids) -> None:
    stolen = beta.client(Role.ADMIN).cookies
    client = alpha.client()
    client.cookies = stolen
    answer = send(client, page, ids)
    assert answer.status_code in (OPEN if page.least is None else (302,))
    if page.least is not None:
        assert answer["Location"].startswith("/sign-in")


GUESSED = [
    page.path for page in PAGES if any(name in page.path for name in (TOKEN, LINK, REPORT, OWN, SESSION, VISIT, ALERT))
]


@pytest.mark.parametrize("path", [*GUESSED, "/machines/only-alpha"])
def test_ids_of_another_partner_are_not_found(path: str, alpha: Cast, beta: Cast, ids: Ids) -> None:
    with schema_context(alpha.schema):
        registry.register("only-alpha", "", actor="test", ip=None)
    client = beta.client(Role.ADMIN)
    answers = [client.get(ids.fill(path)), client.post(ids.fill(path))]
    assert sorted(answer.status_code for answer in answers) == [404, 405]


@pytest.mark.parametrize("page", [page for page in PAGES if page.method == "post"], ids=lambda page: page.name)
def test_a_form_without_its_token_is_refused(page: Page, alpha: Cast, ids: Ids) -> None:
    client = alpha.client(Role.ADMIN, enforce_csrf_checks=True)
    answer = send(client, page, ids)
    assert answer.status_code == 403
    assert "AUTH_005" in answer.content.decode()


@pytest.mark.parametrize("path", ["/sign-out", "/manage/machines/server1/retire", "/add/token"])
def test_what_changes_something_does_not_take_get(path: str, alpha: Cast) -> None:
    answer = alpha.client(Role.ADMIN).get(path)
    assert answer.status_code == 405
    assert answer["Allow"] == "POST"


def test_a_change_of_role_applies_to_the_next_request(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    assert client.get("/add").status_code == 200
    with schema_context(alpha.schema):
        user = alpha.user(Role.ADMIN)
        user.role = Role.VIEWER
        user.save()
    assert client.get("/add").status_code == 403


def test_a_poll_without_a_session_moves_the_whole_page_to_sign_in(alpha: Cast) -> None:
    answer = alpha.client().get("/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/sign-in"


def test_the_menu_offers_only_what_the_role_may(alpha: Cast) -> None:
    viewer, admin = (alpha.client(role).get("/").content.decode() for role in (Role.VIEWER, Role.ADMIN))
    assert 'href="/add"' in admin
    assert 'href="/manage/machines"' in admin
    assert 'href="/add"' not in viewer
    assert 'href="/manage/machines"' not in viewer


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/machines/{MACHINE}",
        "/manage/machines",
        "/add",
        "/password",
        "/tokens",
        "/compare",
        "/alerts",
        "/alerts/history",
        "/alerts/rules",
        "/alerts/rules/new",
        "/alerts/hygiene",
        "/alerts/silences",
        "/reports",
        "/reports/schedules",
        "/sessions",
        "/security",
        "/confirm",
        "/manage/people",
        "/manage/audit",
        "/manage/settings",
        "/manage/visits",
    ],
)
def test_nothing_on_a_page_is_inline_or_from_another_host(path: str, alpha: Cast) -> None:
    answer = alpha.client(Role.ADMIN).get(path)
    text = answer.content.decode()
    assert "style=" not in text
    assert "<style" not in text
    assert " onclick" not in text
    assert 'src="http' not in text
    scripts = [part.split(">")[0] for part in text.split("<script")[1:]]
    assert all("src=" in script or "application/json" in script for script in scripts)
    assert "script-src 'self'" in answer["Content-Security-Policy"]


def test_an_unknown_host_gets_a_page_without_a_tenant(db: None) -> None:
    answer = Client(headers={"host": "nowhere.localhost"}).get("/")
    assert answer.status_code == 404
    assert "TENANT_001" in answer.content.decode()
