"""Every endpoint: who may call it, and the one error body from all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts import tokens
from accounts.models import PersonalToken, Role, Scope, User
from alerts.models import Alert, Rule, Silence
from alerts.sending import channels
from alerts.sending.models import Channel
from analysis.models import Annotation
from api.urls import urlpatterns
from collectors import registry
from core.errors import CODES
from reports.jobs.models import Report, ReportFile, Schedule, SharedLink, State
from tests import samples
from tests.cast import MACHINE, Cast

RANGE = "start_date=2026-01-01&end_date=2026-01-05"
SERIES = f"machine_id={MACHINE}&start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z"
EVENTS = "start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z"
REPORT = ANNOTATION = "0123456789abcdef"
ORDER = '{"start": "2026-01-01T00:00:00Z", "end": "2026-01-08T00:00:00Z"}'
SCHEDULE, LINK = "0123456789abcdee", "0123456789abcded"
ALERT, ACKNOWLEDGED, CHANNEL = "0123456789abcdea", "0123456789abcdeb", "0123456789abcdec"
RULE, SILENCE = 900_001, 900_002
RULE_BODY = '{"name": "hot", "kind": "threshold", "quantity": "system.cpu_busy_percent", "threshold": 90}'
SILENCE_BODY = '{"name": "move", "starts_at": "2026-01-01T00:00:00Z", "ends_at": "2026-01-02T00:00:00Z"}'
CHANNEL_BODY = '{"name": "ops", "kind": "mail", "address": "ops@example.com"}'
SCHEDULE_ORDER = '{"every": "week", "day": 0, "hour": 6}'
PEOPLE = ("viewer", "analyst", "admin")
TOKENS = {f"{role}-{scope}-token": (role, scope) for role in PEOPLE for scope in Scope}
CREDENTIALS = frozenset({*PEOPLE, "machine", "enrolment", "nobody"})
EVERYBODY = CREDENTIALS | frozenset(TOKENS)


@dataclass(frozen=True)
class Call:
    """One method of one endpoint; `allowed` callers get `status`, the others 401 or 403."""

    name: str
    method: str
    path: str
    allowed: frozenset[str]
    status: int
    body: str | None = None
    content_type: str = "application/json"

    def __str__(self) -> str:
        return f"{self.method} {self.name}"

    def send(self, client: Client) -> Any:
        path = f"/api/{self.path}"
        if self.body == "csv":
            text = f"timestamp,machine_id,cpu_user\n{samples.recent().isoformat()},{MACHINE},1\n"
            part = SimpleUploadedFile("a.csv", text.encode())
            return client.post(path, {"file": part})
        data = self.body or ""
        return client.generic(self.method, path, data, content_type=self.content_type)


def people(*roles: str) -> frozenset[str]:
    return frozenset(roles)


CALLS = (
    Call("upload", "POST", "v1/performance/upload", people("machine", "admin"), 201, "csv"),
    Call("upload-alias", "POST", "v1/upload", people("machine", "admin"), 201, "csv"),
    Call("export", "GET", f"v1/performance/export?{RANGE}", people("analyst", "admin"), 200),
    Call("events", "GET", f"v1/performance/events?{RANGE}", people("analyst", "admin"), 200),
    Call("series", "GET", f"v1/performance/series?{SERIES}", people(*PEOPLE), 200),
    Call("cores", "GET", f"v1/performance/cores?{SERIES}", people(*PEOPLE), 200),
    Call("processes", "GET", f"v1/performance/processes?{SERIES}", people(*PEOPLE), 200),
    Call("annotations", "GET", f"v1/annotations?{EVENTS}", people(*PEOPLE), 200),
    Call("annotations", "POST", "v1/annotations", people("analyst", "admin"), 201, '{"text": "web 2.4.1"}'),
    Call("annotation", "DELETE", f"v1/annotations/{ANNOTATION}", people("analyst", "admin"), 204),
    Call("collectors", "GET", "v1/collectors", people(*PEOPLE), 200),
    Call("register", "POST", "v1/collectors/register", people("admin", "enrolment"), 201, '{"machine_id": "new"}'),
    Call("collector", "GET", f"v1/collectors/{MACHINE}", people(*PEOPLE), 200),
    Call("collector", "PATCH", f"v1/collectors/{MACHINE}", people("admin"), 200, '{"tags": ["web"]}'),
    Call("collector", "DELETE", f"v1/collectors/{MACHINE}", people("admin"), 200),
    Call("machine-events", "GET", f"v1/collectors/{MACHINE}/events?{EVENTS}", people(*PEOPLE), 200),
    Call("rotate-key", "POST", f"v1/collectors/{MACHINE}/rotate-key", people("admin", "machine"), 200),
    Call("reports", "GET", "v1/reports", people("analyst", "admin"), 200),
    Call("reports", "POST", "v1/reports", people("analyst", "admin"), 202, ORDER),
    Call("report", "GET", f"v1/reports/{REPORT}", people("analyst", "admin"), 200),
    Call("report", "DELETE", f"v1/reports/{REPORT}", people("analyst", "admin"), 204),
    Call("report-links", "GET", f"v1/reports/{REPORT}/links", people("analyst", "admin"), 200),
    Call("report-links", "POST", f"v1/reports/{REPORT}/links", people("analyst", "admin"), 201, "{}"),
    Call("report-link", "DELETE", f"v1/reports/{REPORT}/links/{LINK}", people("analyst", "admin"), 204),
    Call("schedules", "GET", "v1/reports/schedules", people("analyst", "admin"), 200),
    Call("schedules", "POST", "v1/reports/schedules", people("analyst", "admin"), 201, SCHEDULE_ORDER),
    Call("schedule", "GET", f"v1/reports/schedules/{SCHEDULE}", people("analyst", "admin"), 200),
    Call("schedule", "PATCH", f"v1/reports/schedules/{SCHEDULE}", people("analyst", "admin"), 200, '{"paused": true}'),
    Call("schedule", "DELETE", f"v1/reports/schedules/{SCHEDULE}", people("analyst", "admin"), 204),
    Call("run-schedule", "POST", f"v1/reports/schedules/{SCHEDULE}/run", people("analyst", "admin"), 202),
    Call("report-file", "GET", f"v1/reports/{REPORT}/report.pdf", people("analyst", "admin"), 200),
    Call("api-alerts", "GET", "v1/alerts", people(*PEOPLE), 200),
    Call("api-alert", "GET", f"v1/alerts/{ALERT}", people(*PEOPLE), 200),
    Call("api-acknowledge-alert", "POST", f"v1/alerts/{ALERT}/acknowledge", people("analyst", "admin"), 200, "{}"),
    Call("api-withdraw-alert", "POST", f"v1/alerts/{ACKNOWLEDGED}/withdraw", people("analyst", "admin"), 200, "{}"),
    Call("api-alert-rules", "GET", "v1/alerts/rules", people(*PEOPLE), 200),
    Call("api-alert-rules", "POST", "v1/alerts/rules", people("analyst", "admin"), 201, RULE_BODY),
    Call("api-alert-rule", "GET", f"v1/alerts/rules/{RULE}", people(*PEOPLE), 200),
    Call("api-alert-rule", "PATCH", f"v1/alerts/rules/{RULE}", people("analyst", "admin"), 200, '{"enabled": false}'),
    Call("api-alert-rule", "DELETE", f"v1/alerts/rules/{RULE}", people("analyst", "admin"), 204),
    Call("api-rehearse-alert-rule", "POST", "v1/alerts/rules/rehearse", people("analyst", "admin"), 200, RULE_BODY),
    Call("api-export-alert-rules", "GET", "v1/alerts/rules/export", people(*PEOPLE), 200),
    Call(
        "api-import-alert-rules",
        "POST",
        "v1/alerts/rules/import",
        people("analyst", "admin"),
        200,
        "version: 1\nrules: []",
        "application/yaml",
    ),
    Call("api-silences", "GET", "v1/alerts/silences", people(*PEOPLE), 200),
    Call("api-silences", "POST", "v1/alerts/silences", people("analyst", "admin"), 201, SILENCE_BODY),
    Call("api-silence", "GET", f"v1/alerts/silences/{SILENCE}", people(*PEOPLE), 200),
    Call("api-silence", "DELETE", f"v1/alerts/silences/{SILENCE}", people("analyst", "admin"), 204),
    Call("api-channels", "GET", "v1/alerts/channels", people("admin"), 200),
    Call("api-channels", "POST", "v1/alerts/channels", people("admin"), 201, CHANNEL_BODY),
    Call("api-channel", "GET", f"v1/alerts/channels/{CHANNEL}", people("admin"), 200),
    Call("api-channel", "PATCH", f"v1/alerts/channels/{CHANNEL}", people("admin"), 200, '{"enabled": false}'),
    Call("api-channel", "DELETE", f"v1/alerts/channels/{CHANNEL}", people("admin"), 204),
    Call("api-test-channel", "POST", f"v1/alerts/channels/{CHANNEL}/test", people("admin"), 200),
    Call("api-channel-secret", "POST", f"v1/alerts/channels/{CHANNEL}/secret", people("admin"), 200),
    Call("api-deliveries", "GET", f"v1/alerts/channels/{CHANNEL}/deliveries", people("admin"), 200),
    Call("status", "GET", "v1/status", CREDENTIALS, 200),
    Call("schema", "GET", "v1/schema", CREDENTIALS, 200),
    Call("api-docs", "GET", "docs", CREDENTIALS, 200),
)


def client_for(cast: Cast, caller: str) -> Client:
    if caller == "nobody":
        return cast.client()
    if caller == "machine":
        return cast.machine_client()
    if caller == "enrolment":
        with schema_context(cast.schema):
            token = registry.make_enrolment_token(actor="test")
        return Client(headers={"host": cast.host, "authorization": f"Bearer {token}"})
    if caller in TOKENS:
        return token_client(cast, *TOKENS[caller])
    return cast.client(Role(caller))


def token_client(cast: Cast, role: str, scope: Scope) -> Client:
    with schema_context(cast.schema):
        token = tokens.make(cast.user(Role(role)), "test", scope, 1, ip=None)
    return Client(headers={"host": cast.host, "authorization": f"Bearer {token}"})


def may(call: Call, caller: str) -> bool:
    """A token may what its user may; one that only reads, only by GET."""
    if caller not in TOKENS or call.allowed == CREDENTIALS:
        return caller in call.allowed or call.allowed == CREDENTIALS
    role, scope = TOKENS[caller]
    return role in call.allowed and (scope == Scope.ADMIN or call.method == "GET")


def assert_error_body(answer: Any, status: int | None = None) -> str:
    body = json.loads(answer.content)
    assert answer.headers["Content-Type"] == "application/json"
    assert set(body) <= {"status", "error", "code", "details"}
    assert body["status"] == "error"
    assert len(body["error"]) > 10
    assert CODES[body["code"]].status == answer.status_code
    if status is not None:
        assert answer.status_code == status
    return str(body["code"])


@pytest.fixture(autouse=True)
def stored(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        day = timezone.now()
        Annotation.objects.create(public_id=ANNOTATION, kind="note", text="t", at=day, created_at=day)
        made = Report.objects.create(public_id=REPORT, title="t", start=day, end=day, state=State.DONE, created_by="x")
        ReportFile.objects.create(report=made, form="pdf", content=b"%PDF-")
        SharedLink.objects.create(report=made, link_id=LINK, digest="x", created_by="x", expires_at=day)
        Schedule.objects.create(
            public_id=SCHEDULE, title="t", every="week", day=0, hour=6, armed_at=day, created_by="x"
        )


@pytest.fixture(autouse=True)
def alerting(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        day = timezone.now()
        rule = Rule.objects.create(pk=RULE, name="there", kind="threshold", quantity="system.load_5min", threshold=9)
        told = {"rule": rule, "rule_name": "there", "severity": "warning", "since": day, "fired_at": day}
        for number, (public_id, state) in enumerate({ALERT: "firing", ACKNOWLEDGED: "acknowledged"}.items()):
            Alert.objects.create(public_id=public_id, state=state, target=str(number), evaluated_at=day, **told)
        Silence.objects.create(pk=SILENCE, name="there", starts_at=day, ends_at=day + timedelta(days=1))
        made = channels.create("there", "webhook", "https://hooks.invalid/", actor="test", ip=None).channel
        Channel.objects.filter(pk=made.pk).update(public_id=CHANNEL)


MATRIX = [(call, caller) for call in CALLS for caller in sorted(EVERYBODY)]


def test_every_address_is_in_the_matrix() -> None:
    named = {pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern) and pattern.name}
    assert named == {call.name for call in CALLS}


@pytest.mark.parametrize(("call", "caller"), MATRIX, ids=str)
def test_only_those_allowed_get_through(alpha: Cast, call: Call, caller: str) -> None:
    answer = call.send(client_for(alpha, caller))
    if may(call, caller):
        assert answer.status_code == call.status, answer.content
    elif caller == "nobody":
        assert assert_error_body(answer, 401) == "AUTH_002"
    else:
        assert assert_error_body(answer, 403) == "AUTH_003"


@pytest.mark.parametrize("call", [call for call in CALLS if call.allowed != CREDENTIALS], ids=str)
@pytest.mark.parametrize("caller", ["admin", "machine", "enrolment", "admin-admin-token", "viewer-read-token"])
def test_another_tenants_credentials_are_worth_nothing(alpha: Cast, beta: Cast, call: Call, caller: str) -> None:
    """The Admin, the machine and the token of Beta at Alpha's host."""
    client = client_for(beta, caller)
    client.defaults["HTTP_HOST"] = alpha.host
    answer = call.send(client)
    if caller == "enrolment" and call.name != "register":
        assert assert_error_body(answer, 403) == "AUTH_003"  # a token is only looked up where it may be used
    else:
        assert_error_body(answer, 401)


@pytest.mark.parametrize(
    "dead",
    [{"expires_at": timezone.now()}, {"revoked_at": timezone.now()}, {"digest": "0" * 64}],
    ids=["expired", "revoked", "wrong secret"],
)
@pytest.mark.parametrize("call", [call for call in CALLS if call.allowed != CREDENTIALS], ids=str)
def test_a_dead_token_is_an_unknown_key(alpha: Cast, call: Call, dead: dict[str, object]) -> None:
    client = token_client(alpha, "admin", Scope.ADMIN)
    with schema_context(alpha.schema):
        PersonalToken.objects.update(**dead)
    assert assert_error_body(call.send(client), 401) == "AUTH_001"


@pytest.mark.parametrize("call", [call for call in CALLS if call.allowed != CREDENTIALS], ids=str)
def test_a_deactivated_persons_token_is_an_unknown_key(alpha: Cast, call: Call) -> None:
    client = token_client(alpha, "admin", Scope.ADMIN)
    with schema_context(alpha.schema):
        User.objects.filter(role=Role.ADMIN).update(is_active=False)
    assert assert_error_body(call.send(client), 401) == "AUTH_001"


def test_a_token_has_its_users_role_of_the_moment(alpha: Cast) -> None:
    """Trap 42."""
    client, path = token_client(alpha, "analyst", Scope.ADMIN), f"/api/v1/performance/export?{RANGE}"
    assert client.get(path).status_code == 200
    with schema_context(alpha.schema):
        User.objects.filter(role=Role.ANALYST).update(role=Role.VIEWER)
    assert assert_error_body(client.get(path), 403) == "AUTH_003"


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_method_that_is_not_there_answers_405(alpha: Cast, call: Call) -> None:
    answer = client_for(alpha, "admin").generic("PUT", f"/api/{call.path}")
    assert assert_error_body(answer) in ("REQUEST_002", "AUTH_003")


@pytest.mark.parametrize("path", ["/api/", "/api/v1", "/api/v2/status", "/api/v1/performance/upload/", "/api/v1/x"])
def test_an_unknown_address_answers_with_the_error_body(alpha: Cast, path: str) -> None:
    assert assert_error_body(alpha.client().get(path), 404) == "REQUEST_001"


@pytest.mark.parametrize("call", [call for call in CALLS if call.name != "status"], ids=str)
def test_an_unknown_host_answers_with_the_error_body(alpha: Cast, call: Call) -> None:
    answer = call.send(Client(headers={"host": "nobody.localhost"}))
    assert assert_error_body(answer, 404) == "TENANT_001"


@pytest.mark.parametrize("call", [call for call in CALLS if call.name != "status"], ids=str)
def test_a_suspended_partner_is_refused_everywhere(alpha: Cast, call: Call) -> None:
    alpha.partner.active = False
    alpha.partner.save()
    try:
        assert assert_error_body(call.send(client_for(alpha, "admin")), 403) == "TENANT_002"
    finally:
        alpha.partner.active = True


def test_an_unsafe_method_with_a_session_needs_the_csrf_token(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN, enforce_csrf_checks=True)
    answer = client.post("/api/v1/collectors/register", {"machine_id": "new"}, content_type="application/json")
    assert assert_error_body(answer, 403) == "AUTH_005"


def test_a_role_change_applies_to_the_next_request(alpha: Cast) -> None:
    """Trap 42."""
    client = alpha.client(Role.ANALYST)
    path = f"/api/v1/performance/export?{RANGE}"
    assert client.get(path).status_code == 200
    with schema_context("alpha"):
        user = alpha.user(Role.ANALYST)
        user.role = Role.VIEWER
        user.save()
    assert assert_error_body(client.get(path), 403) == "AUTH_003"


def test_a_deactivated_user_is_signed_out_at_once(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    with schema_context("alpha"):
        user = alpha.user(Role.ADMIN)
        user.is_active = False
        user.save()
    assert assert_error_body(client.get("/api/v1/collectors"), 401) == "AUTH_002"


def test_the_format_parameter_belongs_to_the_export_and_not_to_the_framework(alpha: Cast) -> None:
    """Trap 30."""
    assert alpha.client(Role.VIEWER).get("/api/v1/collectors?format=csv").status_code == 200


@pytest.mark.parametrize("host", ["alpha.localhost", "nobody.localhost", "127.0.0.1"])
def test_status_answers_at_any_host_without_a_query(alpha: Cast, host: str, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = Client(headers={"host": host}).get("/api/v1/status")
    assert answer.status_code == 200
    assert set(answer.json()) == {"status", "version", "timestamp", "worker_seen"}


def test_a_bug_answers_with_an_id_and_without_its_text(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr("analysis.series.read", broken)
    client = alpha.client(Role.VIEWER)
    client.raise_request_exception = False
    answer = client.get(f"/api/v1/performance/series?{SERIES}")
    assert assert_error_body(answer, 500) == "SERVER_001"
    assert "secret" not in answer.content.decode()
    assert answer.json()["details"][0]["id"] in answer.json()["error"]


def test_guessing_keys_is_limited_by_address_and_not_by_host(alpha: Cast, beta: Cast, settings: Any) -> None:
    """Trap 25: the limit counts over all hosts."""
    settings.REQUEST_RATE = "3/m"
    wrong = f"pfa_{'0' * 16}_{'A' * 43}"
    answers = [
        Client(headers={"host": cast.host, "authorization": f"Bearer {wrong}"}).get("/api/v1/collectors")
        for cast in (alpha, beta, alpha, beta)
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert assert_error_body(answers[-1]) == "RATE_001"
    assert int(answers[-1].headers["Retry-After"]) >= 1


def test_the_schema_describes_every_address(alpha: Cast) -> None:
    schema = alpha.client().get("/api/v1/schema").json()
    assert schema["openapi"].startswith("3.")
    paths = {
        "/api/v1/performance/upload", "/api/v1/performance/export", "/api/v1/performance/series",
        "/api/v1/collectors", "/api/v1/collectors/register", "/api/v1/collectors/{machine_id}",
        "/api/v1/collectors/{machine_id}/rotate-key", "/api/v1/status",
    }  # fmt: skip
    assert paths <= set(schema["paths"])


def test_the_docs_page_loads_nothing_from_another_host(alpha: Cast) -> None:
    page = alpha.client().get("/api/docs")
    assert page.status_code == 200
    assert b"//cdn" not in page.content
    assert b"https://" not in page.content
    assert "'unsafe-eval'" not in page.headers["Content-Security-Policy"]
