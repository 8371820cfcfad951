"""core.errors: one body for every failure, JSON below /api/ and a page elsewhere."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.test import Client, RequestFactory
from django.urls import include, path

from accounts.models import Role
from core import errors
from core.errors import CODES, ErrorCode, ServiceError, as_service_error, respond
from tests.cast import Cast

# DESIGN.md, section 5
STATUSES = {
    "AUTH_001": 401, "AUTH_002": 401, "AUTH_003": 403, "AUTH_004": 403, "TENANT_001": 404, "TENANT_002": 403,
    "UPLOAD_001": 400, "UPLOAD_002": 400, "UPLOAD_003": 400, "UPLOAD_004": 413, "UPLOAD_005": 415, "UPLOAD_006": 409,
    "UPLOAD_007": 400, "UPLOAD_008": 400, "EXPORT_001": 400, "EXPORT_002": 404, "EXPORT_003": 400, "RATE_001": 429,
    "SERVER_001": 500, "SERVER_002": 503,
}  # fmt: skip
HIDDEN = "the exception's own words"
raised: list[Exception] = []


def broken_off(error: type[Exception] = DatabaseError) -> Exception:
    """What psycopg2 makes of a connection that is lost inside a COPY: its base class, with no SQLSTATE."""
    exception = error("server closed the connection unexpectedly")
    exception.__cause__ = psycopg2.DatabaseError("server closed the connection unexpectedly")
    return exception


def fail(request: HttpRequest) -> HttpResponse:
    raise raised[-1]


urlpatterns = [path("api/fail", fail), path("fail", fail), path("", include("core.urls"))]
handler400, handler403, handler404, handler500 = (
    errors.bad_request, errors.forbidden, errors.not_found, errors.server_error,
)  # fmt: skip


@pytest.fixture
def failing(alpha: Cast, settings: Any) -> Client:
    """A client that sees what a browser sees, of a site with two addresses that raise the last of `raised`."""
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False, headers={"host": alpha.host})


def test_the_codes_of_the_design_have_their_statuses() -> None:
    assert {code: CODES[code].status for code in STATUSES} == STATUSES


@pytest.mark.parametrize("declared", CODES.values(), ids=lambda declared: declared.code)
def test_every_code_answers_with_the_one_body(declared: ErrorCode) -> None:
    error = ServiceError(declared.code, "What was wrong.", [{"line": 2}], retry_after=7)
    answer = respond(RequestFactory().get("/api/v1/x"), error)
    assert answer.status_code == declared.status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Retry-After"] == "7"
    assert errors.body(error) == {
        "status": "error", "error": "What was wrong.", "code": declared.code, "details": [{"line": 2}],
    }  # fmt: skip
    assert ("WWW-Authenticate" in answer.headers) == (declared.status == 401)
    page = respond(RequestFactory().get("/x"), error)
    assert page.status_code == declared.status
    assert page.headers["Content-Type"].startswith("text/html")
    assert "What was wrong." in page.content.decode()
    assert declared.code in page.content.decode()
    assert declared.meaning.endswith(".")


def test_a_body_without_details_has_none_and_an_answer_without_a_wait_says_nothing() -> None:
    error = ServiceError("REQUEST_001", "Nothing.")
    assert errors.body(error) == {"status": "error", "error": "Nothing.", "code": "REQUEST_001"}
    assert "Retry-After" not in respond(RequestFactory().get("/api/"), error).headers


def test_a_page_escapes_what_the_sentence_quotes() -> None:
    """Trap 40."""
    page = respond(RequestFactory().get("/x"), ServiceError("REQUEST_003", "No <script>alert(1)</script> here."))
    assert b"<script>alert" not in page.content
    assert b"&lt;script&gt;" in page.content


@pytest.mark.parametrize(
    ("exception", "code"),
    [
        (ServiceError("UPLOAD_001", "Empty."), "UPLOAD_001"),
        (OperationalError("server closed the connection"), "SERVER_002"),
        (InterfaceError("connection already closed"), "SERVER_002"),
        (broken_off(), "SERVER_002"),
        (psycopg2.DatabaseError("error with status PGRES_COPY_OUT and no message from the libpq"), "SERVER_002"),
        (broken_off(IntegrityError), "SERVER_001"),
        (RequestDataTooBig(), "UPLOAD_004"),
        (TooManyFieldsSent(), "UPLOAD_004"),
        (MultiPartParserError("Invalid boundary"), "UPLOAD_008"),
        (IntegrityError("duplicate key"), "SERVER_001"),
        (DatabaseError("relation does not exist"), "SERVER_001"),
        (KeyError("x"), "SERVER_001"),
        (None, "SERVER_001"),
    ],
)
def test_an_exception_means_one_code(exception: Exception | None, code: str) -> None:
    assert as_service_error(exception).code.code == code


@pytest.mark.parametrize(
    ("exception", "status", "code"),
    [
        (ServiceError("UPLOAD_006", "Other content."), 409, "UPLOAD_006"),
        (OperationalError(HIDDEN), 503, "SERVER_002"),
        (Http404(HIDDEN), 404, "REQUEST_001"),
        (PermissionDenied(HIDDEN), 403, "AUTH_003"),
        (TooManyFieldsSent(HIDDEN), 413, "UPLOAD_004"),
        (ValueError(HIDDEN), 500, "SERVER_001"),
    ],
)
@pytest.mark.parametrize("address", ["/api/fail", "/fail"])
def test_a_view_that_raises_is_answered_without_the_words_of_the_exception(
    failing: Client, address: str, exception: Exception, status: int, code: str
) -> None:
    raised.append(exception)
    answer = failing.get(address)
    assert answer.status_code == status
    assert code in answer.content.decode()
    assert HIDDEN not in answer.content.decode()
    assert answer["Content-Type"].startswith("application/json" if "/api/" in address else "text/html")
    assert answer["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" in answer.headers


def test_a_suspicious_request_is_a_refusal_and_no_bug(failing: Client) -> None:
    raised.append(SuspiciousOperation(HIDDEN))
    answer = failing.get("/api/fail")
    assert HIDDEN not in answer.content.decode()
    assert (answer.status_code, answer.json()["code"]) == (400, "REQUEST_003")


def test_a_bug_is_answered_with_an_id_under_which_it_is_logged(
    failing: Client, caplog: pytest.LogCaptureFixture
) -> None:
    raised.append(ValueError(HIDDEN))
    with caplog.at_level(logging.ERROR, "perfanalysis.errors"):
        answer = failing.get("/api/fail").json()
    reference = answer["details"][0]["id"]
    assert reference in answer["error"]
    record = next(record for record in caplog.records if reference in record.getMessage())
    assert record.exc_info
    assert str(record.exc_info[1]) == HIDDEN


def test_a_bug_before_the_view_has_the_same_body(failing: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(host: str) -> None:
        raise RuntimeError(HIDDEN)

    monkeypatch.setattr("partners.hosts.find", broken)
    for address in ("/api/v1/collectors", "/"):
        answer = failing.get(address)
        assert answer.status_code == 500
        assert "SERVER_001" in answer.content.decode()
        assert HIDDEN not in answer.content.decode()


@contextlib.contextmanager
def database_away() -> Iterator[None]:
    def refuse(*args: Any) -> None:
        raise OperationalError('connection to server at "db.example" failed')

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django_tenants.postgresql_backend.base.DatabaseWrapper._cursor", refuse)
        yield


@pytest.mark.parametrize("known", [True, False], ids=["in the view", "at the host lookup"])
@pytest.mark.parametrize("address", ["/api/v1/collectors", "/"])
def test_with_the_database_away_the_answer_is_503_and_when_to_come_again(
    alpha: Cast, address: str, known: bool
) -> None:
    client = alpha.client(Role.VIEWER)
    client.raise_request_exception = False
    if known:
        assert client.get(address).status_code == 200
    with database_away():
        answer = client.get(address)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert "SERVER_002" in answer.content.decode()
    assert "db.example" not in answer.content.decode()


def test_with_the_database_away_health_checks_are_answered() -> None:
    with database_away():
        for address in ("/health", "/api/v1/status"):
            assert Client(headers={"host": "anything"}).get(address).status_code == 200


def test_an_unknown_address_is_json_below_api_and_a_page_elsewhere(alpha: Cast) -> None:
    for address in ("/api/v1/nothing", "/api/", "/api/v1/performance/upload/"):
        answer = alpha.client().get(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "REQUEST_001")
    page = alpha.client().get("/nothing")
    assert page.status_code == 404
    assert page["Content-Type"].startswith("text/html")


def test_a_form_without_its_csrf_token_is_refused_as_a_page(alpha: Cast) -> None:
    answer = alpha.client(enforce_csrf_checks=True).post("/sign-in", {"email": "a@b.example", "password": "x"})
    assert answer.status_code == 403
    assert "AUTH_005" in answer.content.decode()
