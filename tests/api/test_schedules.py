"""Scheduled reports over the API, and links to reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import Role
from core.tenancy import schema_context
from reports.jobs.models import Delivery, Occurrence, Posting, Report, ReportFile, Schedule, State
from tests.cast import MACHINE, Cast

PATH = "/api/v1/reports/schedules"
ORDER = {"title": "Weekly", "every": "week", "day": 0, "hour": 6, "machine_ids": [MACHINE]}


def post(cast: Cast, path: str, body: dict[str, Any]) -> Any:
    return cast.client(Role.ANALYST).post(path, body, content_type="application/json")


def made(cast: Cast) -> str:
    answer = post(cast, PATH, ORDER)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def test_a_schedule_is_made_read_changed_paused_and_deleted(alpha: Cast, beta: Cast) -> None:
    schedule = made(alpha)
    client, path = alpha.client(Role.ANALYST), f"{PATH}/{schedule}"
    assert [row["id"] for row in client.get(PATH).json()["schedules"]] == [schedule]
    changed = client.patch(path, {"hour": 7, "paused": True}, content_type="application/json").json()
    assert (changed["hour"], changed["paused"], changed["title"], changed["machine_ids"]) == (
        7, True, "Weekly", [MACHINE],
    )  # fmt: skip
    assert not client.patch(path, {"paused": False}, content_type="application/json").json()["paused"]
    assert beta.client(Role.ADMIN).get(path).status_code == 404
    assert beta.client(Role.ADMIN).delete(path).status_code == 404
    assert client.delete(path).status_code == 204
    assert client.get(path).json()["code"] == "REQUEST_001"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"every": "day"}, "valid choice"),
        ({"day": 32}, "less than or equal to 31"),
        ({"day": 9}, "0 (Monday) to 6"),
        ({"recipients": ["nobody"]}, "valid email"),
        ({"recipients": ["a@b.example"]}, "EMAIL_URL"),
        ({"tag": "x", "machine_ids": []}, "No machine has the tag"),
    ],
)
def test_a_bad_schedule_is_refused_with_the_reason(alpha: Cast, changed: dict[str, Any], words: str) -> None:
    answer = post(alpha, PATH, {**ORDER, **changed})
    assert answer.status_code in (400, 404)
    assert words in answer.content.decode()


def test_run_now_asks_for_a_report_and_the_schedule_tells_of_it(alpha: Cast) -> None:
    schedule = made(alpha)
    report = post(alpha, f"{PATH}/{schedule}/run", {}).json()
    assert report["state"] == "queued"
    with schema_context(alpha.schema):
        found = Occurrence.objects.get(schedule=Schedule.objects.get())
        Delivery.objects.create(occurrence=found, address="a@b.example", state=Posting.FAILED, problem="550 no")
    (latest,) = alpha.client(Role.ANALYST).get(f"{PATH}/{schedule}").json()["latest"]
    assert latest["report"] == report["id"]
    assert latest["mails"][0]["problem"] == "550 no"


def test_a_link_is_made_with_its_address_once_and_withdrawn(alpha: Cast, beta: Cast) -> None:
    with schema_context(alpha.schema):
        day = datetime(2026, 1, 5, tzinfo=UTC)
        report = Report.objects.create(public_id="a" * 16, title="t", start=day, end=day, state=State.DONE)
        ReportFile.objects.create(report=report, form="pdf", content=b"%PDF-")
    path = f"/api/v1/reports/{report.public_id}/links"
    link = post(alpha, path, {"days": 2}).json()
    assert link["url"].startswith(f"http://{alpha.host}/shared/pfr_{link['id']}_")
    assert alpha.client().get(link["url"].partition(alpha.host)[2] + "/report.pdf").content == b"%PDF-"
    (listed,) = alpha.client(Role.ANALYST).get(path).json()["links"]
    assert "url" not in listed
    assert listed["opened"] == 1
    assert beta.client(Role.ADMIN).get(path).status_code == 404
    assert beta.client(Role.ADMIN).delete(f"{path}/{link['id']}").status_code == 404
    assert alpha.client(Role.ANALYST).delete(f"{path}/{link['id']}").status_code == 204
    assert alpha.client().get(link["url"].partition(alpha.host)[2]).status_code == 404
