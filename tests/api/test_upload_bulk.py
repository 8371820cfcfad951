"""POST performance/upload by a person: a file of many machines."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from accounts.models import Role
from tests import samples
from tests.cast import MACHINE, Cast

URL = "/api/v1/performance/upload"


def file_of(*machines: str) -> bytes:
    at = samples.recent().isoformat()
    return "\n".join(["timestamp,machine_id,cpu_user", *(f"{at},{machine},1" for machine in machines), ""]).encode()


def post(
    cast: Cast, body: bytes, role: Role = Role.ADMIN, query: str = "", headers: dict[str, str] | None = None
) -> Any:
    return cast.client(role).post(URL + query, body, content_type="text/csv", headers=headers or {})


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_an_admin_uploads_rows_of_many_machines(alpha: Cast) -> None:
    answer = post(alpha, file_of(MACHINE, "web1"), query="?register=1")
    assert answer.status_code == 201, answer.content
    assert (answer.json()["records_processed"], answer.json()["duplicates"]) == (2, 0)
    again = post(alpha, gzip.compress(file_of(MACHINE, "web1")), headers={"Content-Encoding": "gzip"})
    assert (again.status_code, again.json()) == (200, answer.json())
    assert samples.count(alpha) == 2


def test_a_form_is_taken_too(alpha: Cast) -> None:
    answer = alpha.client(Role.ADMIN).post(URL, {"file": SimpleUploadedFile("week.csv", file_of(MACHINE))})
    assert answer.status_code == 201
    both = {"file": SimpleUploadedFile("a", file_of(MACHINE)), "disks": SimpleUploadedFile("b", b"x")}
    assert code(alpha.client(Role.ADMIN).post(URL, both)) == (400, "REQUEST_003")


def test_an_unknown_machine_is_refused_without_register(alpha: Cast) -> None:
    assert code(post(alpha, file_of(MACHINE, "stranger"))) == (404, "COLLECTOR_001")
    assert samples.count(alpha) == 0


def test_a_machine_of_another_tenant_is_unknown(alpha: Cast, beta: Cast) -> None:
    post(alpha, file_of("web1"), query="?register=1")
    assert code(post(beta, file_of("web1"))) == (404, "COLLECTOR_001")


def test_a_bad_cell_is_named_and_nothing_is_registered_or_stored(alpha: Cast) -> None:
    answer = post(alpha, file_of("web1", "web2").replace(b"web2,1", b"web2,NaN"), query="?register=1")
    assert code(answer) == (400, "UPLOAD_003")
    assert answer.json()["details"][0]["line"] == 3
    assert samples.count(alpha) == 0
    assert code(post(alpha, file_of("web1"))) == (404, "COLLECTOR_001")


@pytest.mark.parametrize("role", [Role.ANALYST, Role.VIEWER])
def test_only_an_admin_may(alpha: Cast, role: Role) -> None:
    assert code(post(alpha, file_of(MACHINE), role)) == (403, "AUTH_003")


def test_a_session_needs_its_csrf_token(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN, enforce_csrf_checks=True)
    assert code(client.post(URL, file_of(MACHINE), content_type="text/csv")) == (403, "AUTH_005")


def test_the_bound_is_that_of_bulk_uploads(alpha: Cast, settings: Settings) -> None:
    settings.UPLOAD_MAX_BYTES = 10
    assert post(alpha, file_of(MACHINE)).status_code == 201
    settings.BULK_MAX_BYTES = 1_000
    assert code(post(alpha, b"0" * 1_001)) == (413, "UPLOAD_004")
    assert code(post(alpha, gzip.compress(b"0" * 9_999), headers={"Content-Encoding": "gzip"})) == (413, "UPLOAD_004")
