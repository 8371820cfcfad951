"""The audit log's page: filters, pages by the last row seen, and exports."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts import audit, trail
from accounts.models import AuditEvent, Role
from tests.cast import Cast

LOG = "/manage/audit"


def record(cast: Cast, event: str = "upload", **fields: Any) -> None:
    with schema_context(cast.schema):
        audit.record(event, **fields)


def shown(cast: Cast, query: str = "") -> str:
    return str(alpha_text(cast, f"{LOG}?{query}"))


def alpha_text(cast: Cast, path: str) -> str:
    answer = cast.client(Role.ADMIN).get(path)
    assert answer.status_code == 200, answer.content
    return str(answer.content.decode())


def exported(cast: Cast, form: str, query: str = "") -> bytes:
    return whole(cast.client(Role.ADMIN).get(f"{LOG}/export.{form}?{query}"))


def whole(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def rows(text: str) -> list[str]:
    return re.findall(r'<th scope="row">([^<]+)', text)


@pytest.mark.parametrize("query", ["event=mine", "user=ann%40example.com", "machine_id=web-1"])
def test_a_filter_shows_what_it_names_and_nothing_else(alpha: Cast, query: str) -> None:
    record(alpha, "mine", user="ann@example.com", machine_id="web-1")
    record(alpha, "other", user="bob@example.com", machine_id="web-2")
    assert rows(shown(alpha, query)) == ["mine"]


def test_a_period_is_of_whole_days_in_utc(alpha: Cast) -> None:
    days = [datetime(2026, 3, day, hour, tzinfo=UTC) for day, hour in ((1, 23), (2, 0), (3, 23), (4, 0))]
    with schema_context(alpha.schema):
        AuditEvent.objects.bulk_create(AuditEvent(event=f"e{at.day}", timestamp=at) for at in days)
    assert rows(shown(alpha, "start=2026-03-02&end=2026-03-03")) == ["e3", "e2"]


def test_pages_follow_each_other_without_loss_though_times_are_equal(alpha: Cast) -> None:
    now = timezone.now()
    with schema_context(alpha.schema):
        AuditEvent.objects.bulk_create(AuditEvent(event="same", records=n, timestamp=now) for n in range(120))
    query, seen = "event=same", []
    while query:
        text = shown(alpha, query)
        seen += re.findall(r'data-label="Records">(\d+)', text)
        following = re.search(r'rel="next" href="\?([^"]+)"', text)
        query = following[1].replace("&amp;", "&") if following else ""
    assert seen == [str(number) for number in reversed(range(120))]


def test_a_page_costs_the_same_queries_however_long_the_log_is(alpha: Cast, django_assert_num_queries: Any) -> None:
    """The path, the session, the user, the settings, the events."""
    client = alpha.client(Role.ADMIN)
    client.get(LOG)
    for _ in range(60):
        record(alpha, user="ann@example.com", machine_id="web-1")
    for query in ("", "user=ann%40example.com&start=2020-01-01"):
        with django_assert_num_queries(5):
            client.get(f"{LOG}?{query}")


@pytest.mark.parametrize("query", ["start=yesterday", "before=x", "before=2026-01-01_1", "before=_", "user=%00"])
def test_what_is_no_filter_is_said_and_not_a_crash(alpha: Cast, query: str) -> None:
    assert "No such event" in shown(alpha, query)


def test_hostile_text_is_text(alpha: Cast) -> None:
    """Trap 40."""
    record(alpha, "sign_in_failed", user="<script>alert(1)</script>", status="refused", of="<b>x</b>")
    text = shown(alpha, "event=sign_in_failed")
    assert "<script>alert" not in text
    assert "<b>x" not in text


def test_lines_have_the_form_of_the_application_log(alpha: Cast) -> None:
    record(alpha, "mine", user="ann@example.com", machine_id="web-1", records=5, ip="192.0.2.1")
    lines = [json.loads(line) for line in exported(alpha, "jsonl", "event=mine").splitlines()]
    assert len(lines) == 1
    assert tuple(lines[0]) == trail.COLUMNS
    assert (lines[0]["tenant"], lines[0]["records"], lines[0]["status"]) == ("alpha", 5, "success")


def test_a_formula_in_the_csv_is_text(alpha: Cast) -> None:
    """Trap 40."""
    record(alpha, "mine", user="=cmd|'/c calc'!A0", machine_id='a"b,c')
    table = list(csv.reader(io.StringIO(exported(alpha, "csv", "event=mine").decode())))
    assert table[0] == list(trail.COLUMNS)
    assert table[1][2] == "'=cmd|'/c calc'!A0"
    assert table[1][4:6] == ['a"b,c', ""]


def test_an_export_is_whole_and_in_order_over_its_blocks(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "BLOCK", 7)
    now = timezone.now()
    with schema_context(alpha.schema):
        AuditEvent.objects.bulk_create(
            AuditEvent(event="mine", records=n, timestamp=now + timedelta(seconds=n // 4)) for n in range(30)
        )
    numbers = [json.loads(line)["records"] for line in exported(alpha, "jsonl", "event=mine").splitlines()]
    assert numbers == list(range(30))


def test_an_export_is_read_in_the_tenant_that_asked(alpha: Cast, beta: Cast) -> None:
    """Trap 28."""
    record(alpha, "mine", user="ann@alpha.example")
    record(beta, "mine", user="bob@beta.example")
    answer = alpha.client(Role.ADMIN).get(f"{LOG}/export.jsonl?event=mine")
    beta.client(Role.ADMIN).get("/")
    with schema_context(beta.schema):
        text = whole(answer)
    assert b"ann@alpha.example" in text
    assert b"bob@beta.example" not in text


def test_taking_an_export_is_an_event(alpha: Cast) -> None:
    exported(alpha, "csv")
    with schema_context(alpha.schema):
        event = AuditEvent.objects.get(event="audit.exported")
    assert (event.user, event.detail) == ("admin@alpha.example", {"format": "csv"})


@pytest.mark.parametrize("path", ["export.xlsx", "export.csv?start=x"])
def test_an_unknown_form_is_refused(alpha: Cast, path: str) -> None:
    assert alpha.client(Role.ADMIN).get(f"{LOG}/{path}").status_code == 400


def test_a_place_reads_back_as_itself() -> None:
    place = trail.Place(datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC), 7)
    assert trail.Place.parse(str(place)) == place


def test_no_choice_is_everything(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        assert trail.Choice().events().count() == AuditEvent.objects.count()
        assert not trail.Choice(end=date(2020, 1, 1)).events().exists()
