"""Page Reports: asking, the list, the files."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import Role
from core.tenancy import schema_context
from reports.jobs import queue
from reports.jobs.models import Report, State
from tests.cast import MACHINE, Cast

ASK = "/reports/ask"
GOOD = {"title": "Weekly", "machines": [MACHINE], "days": "7", "time_zone": "Europe/Berlin"}


def only(cast: Cast) -> Report:
    with schema_context(cast.schema):
        return Report.objects.get()


def test_what_is_asked_for_is_queued_and_listed(alpha: Cast) -> None:
    client = alpha.client(Role.ANALYST)
    assert client.post(ASK, GOOD).status_code == 302
    report = only(alpha)
    assert (report.title, report.machine_ids, report.time_zone) == ("Weekly", [MACHINE], "Europe/Berlin")
    assert (report.end - report.start).days == 7
    page = client.get("/reports").content.decode()
    assert "Weekly" in page
    assert "Waiting" in page
    assert 'hx-trigger="every 2s"' in page
    assert alpha.client(Role.VIEWER).get("/reports").status_code == 403


def test_two_dates_are_whole_days_of_the_time_zone(alpha: Cast) -> None:
    """On 29 March 2026 Berlin's day has 23 hours."""
    dates = {"days": "", "start": "2026-03-28", "end": "2026-03-29"}
    assert alpha.client(Role.ANALYST).post(ASK, {**GOOD, **dates}).status_code == 302
    report = only(alpha)
    assert (report.start, report.end) == (datetime(2026, 3, 27, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"time_zone": "Mars/Olympus"}, "no such time zone"),
        ({"time_zone": "../../etc/passwd"}, "no such time zone"),
        ({"days": "", "start": "2026-03-28"}, "Choose a period, or both dates"),
        ({"days": "", "start": "2026-03-28", "end": "2026-03-01"}, "must start before it ends"),
        ({"days": "", "start": "2026-01-01", "end": "2026-12-01"}, "92 days at most"),
        ({"machines": ["nobody"]}, "not one of the available choices"),
        ({"title": ""}, "This field is required"),
    ],
)
def test_a_bad_form_says_why_and_queues_nothing(alpha: Cast, changed: dict[str, Any], words: str) -> None:
    answer = alpha.client(Role.ANALYST).post(ASK, {**GOOD, **changed})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    with schema_context(alpha.schema):
        assert not Report.objects.exists()


def test_a_finished_report_is_downloaded_and_deleted(alpha: Cast, beta: Cast) -> None:
    client = alpha.client(Role.ANALYST)
    client.post(ASK, {**GOOD, "title": "<b>Bold</b>"})
    with schema_context(alpha.schema):
        taken = queue.take(datetime.now(UTC))
        assert taken is not None
        queue.finish(taken, {"html": b"<script>1</script>", "pdf": b"%PDF-", "json": b"{}"})
    page = client.get("/reports", headers={"HX-Request": "true"}).content.decode()
    assert "<b>Bold</b>" not in page
    assert "hx-trigger" not in page  # nothing is being made: no more polling
    path = f"/reports/{taken.public_id}"
    file = client.get(f"{path}/report.html")
    assert file.headers["Content-Disposition"].startswith("inline")
    assert "sandbox allow-scripts" in file.headers["Content-Security-Policy"]
    assert client.get(f"{path}/report.pdf").headers["Content-Disposition"].startswith("attachment")
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    assert beta.client(Role.ADMIN).get(f"{path}/report.html").status_code == 404
    assert client.post(f"{path}/delete").status_code == 302
    assert client.get(f"{path}/report.html").status_code == 404


def test_why_one_failed_is_told(alpha: Cast) -> None:
    client = alpha.client(Role.ANALYST)
    client.post(ASK, GOOD)
    with schema_context(alpha.schema):
        taken = queue.take(datetime.now(UTC))
        assert taken is not None
        queue.fail(taken, "There are no samples of these machines in this period.")
    page = client.get("/reports").content.decode()
    assert "There are no samples of these machines in this period." in page
    assert only(alpha).state == State.FAILED
