"""Pages of scheduled reports: making, changing, pausing, running, deleting, and what became of the mails."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from accounts import tenant_settings
from accounts.models import Role
from collectors.models import Collector
from core.tenancy import schema_context
from reports.jobs.models import Delivery, Every, Occurrence, Posting, Report, Schedule
from tests.cast import MACHINE, Cast

GOOD = {"title": "Monday", "when": "week-0", "hour": "6", "machines": [MACHINE], "tag": "", "recipients": ""}
MAKE = "/reports/schedules/make"


def only(cast: Cast) -> Schedule:
    with schema_context(cast.schema):
        return Schedule.objects.get()


def test_a_schedule_is_made_listed_and_changed(alpha: Cast, settings: Any) -> None:
    settings.SENDS_MAIL = True
    client = alpha.client(Role.ANALYST)
    assert client.post(MAKE, {**GOOD, "recipients": "a@b.example, c@d.example\ne@f.example"}).status_code == 302
    made = only(alpha)
    assert (made.title, made.every, made.day, made.hour, made.machine_ids) == ("Monday", "week", 0, 6, [MACHINE])
    assert made.recipients == ["a@b.example", "c@d.example", "e@f.example"]
    page = client.get("/reports/schedules").content.decode()
    assert "Every week on Monday, 06:00" in page
    assert "a@b.example, c@d.example, e@f.example" in page
    changed = {**GOOD, "when": "month-31", "hour": "0", "machines": []}
    assert client.post(f"/reports/schedules/{made.public_id}/change", changed).status_code == 302
    made = only(alpha)
    assert (made.every, made.day, made.hour, made.machine_ids, made.recipients) == (Every.MONTH, 31, 0, [], [])
    assert "all machines" in client.get(f"/reports/schedules/{made.public_id}").content.decode()


def test_times_are_told_in_the_zone_of_the_tenant(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        tenant_settings.change(actor="x", ip=None, time_zone="Asia/Tokyo")
    assert "When (Asia/Tokyo)" not in alpha.client(Role.ANALYST).get("/reports/schedules").content.decode()
    alpha.client(Role.ANALYST).post(MAKE, GOOD)
    page = alpha.client(Role.ANALYST).get("/reports/schedules").content.decode()
    assert "When (Asia/Tokyo)" in page
    assert re.search(r'data-label="Next">20\d\d-\d\d-\d\d 06:00<', page)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"title": ""}, "This field is required"),
        ({"when": "week-9"}, "not one of the available choices"),
        ({"hour": "24"}, "not one of the available choices"),
        ({"machines": ["nobody"]}, "not one of the available choices"),
        ({"tag": "nothing"}, "not one of the available choices"),
        ({"tag": "web"}, "Choose machines or a tag, not both"),
        ({"recipients": "nobody"}, "“nobody” is no e-mail address"),
        ({"recipients": " ".join(f"a{at}@b.example" for at in range(21))}, "20 addresses at most"),
    ],
)
def test_a_bad_form_says_why_and_makes_nothing(alpha: Cast, settings: Any, changed: dict[str, Any], words: str) -> None:
    settings.SENDS_MAIL = True
    with schema_context(alpha.schema):
        Collector.objects.filter(machine_id=MACHINE).update(tags=["web"])
    answer = alpha.client(Role.ANALYST).post(MAKE, {**GOOD, **changed})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    with schema_context(alpha.schema):
        assert not Schedule.objects.exists()


def test_a_portal_without_mail_says_so_and_takes_no_addresses(alpha: Cast) -> None:
    client = alpha.client(Role.ANALYST)
    assert "EMAIL_URL is empty" in client.get("/reports/schedules").content.decode()
    assert client.post(MAKE, {**GOOD, "recipients": "a@b.example"}).status_code == 302
    assert only(alpha).recipients == []


def test_it_is_paused_resumed_run_and_deleted(alpha: Cast, beta: Cast) -> None:
    client = alpha.client(Role.ANALYST)
    client.post(MAKE, GOOD)
    made = only(alpha)
    path = f"/reports/schedules/{made.public_id}"
    for action in ("pause", "resume", "run", "delete", "change"):
        assert beta.client(Role.ADMIN).post(f"{path}/{action}").status_code == 404
    client.post(f"{path}/pause")
    assert only(alpha).paused
    assert "Paused" in client.get("/reports/schedules").content.decode()
    client.post(f"{path}/resume")
    assert not only(alpha).paused
    client.post(f"{path}/run")
    with schema_context(alpha.schema):
        report = Report.objects.get()
        assert (report.title, report.machine_ids) == ("Monday", [MACHINE])
        assert (report.end - report.start).days == 7
    assert "run by analyst@alpha.example" in client.get(path).content.decode()
    assert client.post(f"{path}/delete").status_code == 302
    assert client.get(path).status_code == 404


def test_why_there_is_no_report_or_no_mail_is_told(alpha: Cast) -> None:
    client = alpha.client(Role.ANALYST)
    client.post(MAKE, {**GOOD, "title": "<b>Bold</b>"})
    made = only(alpha)
    with schema_context(alpha.schema):
        due = datetime(2026, 1, 12, 6, tzinfo=UTC)
        Occurrence.objects.create(schedule=made, covers=date(2026, 1, 5), due_at=due, problem="No machine has the tag.")
        found = Occurrence.objects.create(schedule=made, covers=date(2026, 1, 5), due_at=due, asked_by="x")
        Delivery.objects.create(
            occurrence=found, address="a@b.example", state=Posting.FAILED, problem="550 <no> such user"
        )
    page = client.get(f"/reports/schedules/{made.public_id}").content.decode()
    assert "<b>Bold</b>" not in page
    assert "No machine has the tag." in page
    assert "550 &lt;no&gt; such user" in page
    again = f"/reports/schedules/{made.public_id}/mail-again/{found.pk}"
    assert again in page
    assert client.post(again).status_code == 302
    with schema_context(alpha.schema):
        assert Delivery.objects.get().state == Posting.WAITING


def test_what_is_gone_stays_chosen_until_it_is_taken_out(alpha: Cast) -> None:
    client = alpha.client(Role.ANALYST)
    client.post(MAKE, GOOD)
    with schema_context(alpha.schema):
        Schedule.objects.update(machine_ids=[], tag="gone")
    page = client.get(f"/reports/schedules/{only(alpha).public_id}").content.decode()
    assert '<option value="gone" selected>gone</option>' in page
