"""Scheduled reports: each occurrence once, whatever workers and clocks do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings

from accounts import tenant_settings
from accounts.models import AuditEvent
from collectors.models import Collector
from core.errors import ServiceError
from core.tenancy import schema_context
from partners.duties import declared
from reports.jobs import duties, queue, schedules
from reports.jobs.models import Delivery, Every, Occurrence, Report, Schedule
from reports.jobs.schedules import Plan
from tests.cast import MACHINE, Cast
from tests.reports.apart import apart

WHO: Any = {"actor": "analyst@alpha.example", "ip": None}
WEEKLY = Plan("Weekly", Every.WEEK, 0, 6, [MACHINE])
MADE = datetime(2026, 1, 7, 12, tzinfo=UTC)  # a Wednesday
DUE = datetime(2026, 1, 12, 6, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")


def never() -> bool:
    return False


def run_due(now: datetime, zone: ZoneInfo = UTC_ZONE) -> int:
    return schedules.run_due(zone, now, never)


@pytest.fixture
def made(alpha: Cast) -> Schedule:
    with schema_context(alpha.schema):
        return schedules.make(WEEKLY, MADE, **WHO)


def test_nothing_is_made_up_for_before_it_was_there(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        assert run_due(DUE - timedelta(seconds=1)) == 0
        assert not Report.objects.exists()


def test_when_it_is_due_the_week_before_is_asked_for_once(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        assert [run_due(DUE), run_due(DUE), run_due(DUE + timedelta(hours=3))] == [1, 0, 0]
        report = Report.objects.get()
        assert (report.start, report.end) == (datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 12, tzinfo=UTC))
        assert (report.title, report.machine_ids) == ("Weekly", [MACHINE])
        assert report.created_by == f"schedule {made.public_id}"
        assert run_due(DUE + timedelta(days=7)) == 1


def test_after_an_outage_the_newest_is_made_once_and_the_older_ones_are_not(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        assert run_due(DUE + timedelta(days=30)) == 1
        assert Occurrence.objects.get().covers == date(2026, 2, 2)
        assert run_due(DUE + timedelta(days=30, hours=1)) == 0


def test_two_workers_at_once_ask_for_one(racers: None) -> None:
    """Without the lock of the duty: the row of the occurrence alone must hold."""
    apart(lambda: schedules.make(WEEKLY, MADE, **WHO))
    counts = apart(lambda: run_due(DUE), workers=4)
    assert sorted(map(str, counts)) == ["0", "0", "0", "1"]
    assert apart(Report.objects.count) == [1]


def test_a_clock_change_makes_no_second_report(alpha: Cast) -> None:
    """Sunday 02:30 comes twice in Berlin on 25 October 2026."""
    berlin = ZoneInfo("Europe/Berlin")
    with schema_context(alpha.schema):
        schedules.make(replace(WEEKLY, day=6, hour=2), datetime(2026, 10, 20, tzinfo=UTC), **WHO)
        moments = [datetime(2026, 10, 25, hour, 5, tzinfo=UTC) for hour in range(3)]
        assert [run_due(moment, berlin) for moment in moments] == [1, 0, 0]


def test_another_time_zone_makes_no_second_report_of_the_same_week(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        assert run_due(DUE) == 1
        assert run_due(DUE + timedelta(hours=12), ZoneInfo("America/Los_Angeles")) == 0


def test_the_duty_goes_by_the_time_zone_of_the_tenant(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        tenant_settings.change(actor="x", ip=None, time_zone="Asia/Tokyo")
        assert duties.ask_for_scheduled(alpha.partner, DUE - timedelta(hours=9), never) == "1 scheduled reports"
        report = Report.objects.get()
        assert report.time_zone == "Asia/Tokyo"
        assert report.end == datetime(2026, 1, 11, 15, tzinfo=UTC)


def test_paused_it_asks_for_nothing_and_resumed_it_makes_up_for_nothing(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        schedules.pause(made.public_id, **WHO)
        assert run_due(DUE) == 0
        schedules.resume(made.public_id, DUE + timedelta(days=1), **WHO)
        assert run_due(DUE + timedelta(days=2)) == 0
        assert run_due(DUE + timedelta(days=7)) == 1


def test_another_hour_does_not_ask_for_what_would_have_been_due_before(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        at_noon = DUE + timedelta(hours=6)
        schedules.change(made.public_id, replace(WEEKLY, hour=3), at_noon - timedelta(hours=6, minutes=1), **WHO)
        assert run_due(at_noon) == 0


def test_a_change_of_the_title_loses_no_occurrence(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        schedules.change(made.public_id, replace(WEEKLY, title="New"), DUE + timedelta(minutes=1), **WHO)
        assert run_due(DUE + timedelta(minutes=2)) == 1
        assert Report.objects.get().title == "New"


def test_run_now_does_not_take_the_place_of_what_is_due(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        report = schedules.run(made.public_id, UTC_ZONE, DUE + timedelta(days=-1), **WHO)
        assert report.start == datetime(2025, 12, 29, tzinfo=UTC)
        schedules.run(made.public_id, UTC_ZONE, DUE, **WHO)
        assert run_due(DUE) == 1
        assert Report.objects.count() == 3


def test_a_tag_means_the_machines_that_have_it_when_it_is_due(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        Collector.objects.filter(machine_id=MACHINE).update(tags=["web"])
        schedules.make(replace(WEEKLY, machine_ids=[], tag="web"), MADE, **WHO)
        Collector.objects.create(machine_id="server2", tags=["db", "web"])
        Collector.objects.create(machine_id="server3", tags=["db"])
        assert run_due(DUE) == 1
        assert Report.objects.get().machine_ids == [MACHINE, "server2"]


def test_a_tag_that_no_machine_has_any_more_is_said_and_not_the_whole_tenant(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        Collector.objects.filter(machine_id=MACHINE).update(tags=["web"])
        schedules.make(replace(WEEKLY, machine_ids=[], tag="web"), MADE, **WHO)
        Collector.objects.filter(machine_id=MACHINE).update(tags=[])
        assert run_due(DUE) == 1
        occurrence = Occurrence.objects.get()
        assert (occurrence.report, occurrence.problem) == (None, "No machine has the tag 'web'.")
        assert run_due(DUE + timedelta(hours=1)) == 0


def test_machines_that_are_gone_are_left_out_and_never_mean_all(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        Schedule.objects.update(machine_ids=["gone", MACHINE])
        assert run_due(DUE) == 1
        assert Report.objects.get().machine_ids == [MACHINE]
        Schedule.objects.update(machine_ids=["gone"])
        assert run_due(DUE + timedelta(days=7)) == 1
        assert "None of the schedule's machines" in Occurrence.objects.first().problem  # type: ignore[union-attr]


def test_a_full_queue_puts_it_off_and_loses_nothing(alpha: Cast, made: Schedule, monkeypatch: Any) -> None:
    with schema_context(alpha.schema):
        monkeypatch.setattr(queue, "MOST_WAITING", 0)
        assert run_due(DUE) == 0
        assert not Occurrence.objects.exists()
        monkeypatch.setattr(queue, "MOST_WAITING", 1)
        assert run_due(DUE + timedelta(minutes=1)) == 1


def test_old_occurrences_go_but_not_those_that_keep_a_period_from_coming_twice(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        run_due(DUE)
        schedules.trim(DUE + timedelta(days=20), DUE + timedelta(days=21))
        assert Occurrence.objects.exists()
        schedules.trim(DUE + timedelta(days=20), DUE + timedelta(days=400))
        assert not Occurrence.objects.exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"every": "day"}, "0 \\(Monday\\) to 6"),
        ({"day": 7}, "0 \\(Monday\\) to 6"),
        ({"every": Every.MONTH, "day": 0}, "1 to 31"),
        ({"hour": 24}, "hours 0 to 23"),
        ({"machine_ids": ["nobody"]}, "no machine 'nobody'"),
        ({"machine_ids": [], "tag": "nothing"}, "No machine has the tag 'nothing'"),
        ({"tag": "web"}, "machines or a tag"),
        ({"recipients": ["a@b.example"]}, "sends no mail"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(alpha: Cast, changed: dict[str, Any], words: str) -> None:
    with schema_context(alpha.schema), pytest.raises(ServiceError, match=words):
        schedules.make(replace(WEEKLY, **changed), MADE, **WHO)


@pytest.mark.parametrize("address", ["nobody", "a@b@c.example", "a@b.example\r\nBcc: x@y.example", "<a@b.example>"])
def test_what_is_no_address_is_refused(alpha: Cast, settings: Any, address: str) -> None:
    settings.SENDS_MAIL = True
    with schema_context(alpha.schema), pytest.raises(ServiceError, match="no e-mail address"):
        schedules.make(replace(WEEKLY, recipients=[address]), MADE, **WHO)


def test_addresses_are_cleaned_told_once_and_limited(alpha: Cast, settings: Any) -> None:
    settings.SENDS_MAIL = True
    with schema_context(alpha.schema):
        made = schedules.make(replace(WEEKLY, recipients=[" a@b.example", "A@B.example", ""]), MADE, **WHO)
        assert made.recipients == ["A@B.example"]
        many = [f"a{number}@b.example" for number in range(schedules.MOST_RECIPIENTS + 1)]
        with pytest.raises(ServiceError, match="20 addresses at most"):
            schedules.make(replace(WEEKLY, recipients=many), MADE, **WHO)
        run_due(DUE)
        assert [row.address for row in Delivery.objects.all()] == ["A@B.example"]


def test_a_month_of_too_many_machines_is_refused_when_it_is_made(alpha: Cast, monkeypatch: Any) -> None:
    monkeypatch.setattr(settings, "REPORT_MACHINE_DAYS", 20)
    with schema_context(alpha.schema):
        schedules.make(WEEKLY, MADE, **WHO)
        with pytest.raises(ServiceError, match="fewer machines or a shorter period"):
            schedules.make(replace(WEEKLY, every=Every.MONTH, day=1), MADE, **WHO)


def test_every_change_is_in_the_audit_log(alpha: Cast, made: Schedule) -> None:
    with schema_context(alpha.schema):
        schedules.change(made.public_id, replace(WEEKLY, hour=7), MADE, **WHO)
        schedules.pause(made.public_id, **WHO)
        schedules.resume(made.public_id, MADE, **WHO)
        schedules.run(made.public_id, UTC_ZONE, MADE, **WHO)
        schedules.delete(made.public_id, **WHO)
        told = AuditEvent.objects.filter(event__startswith="schedule.").order_by("id").values_list("event", flat=True)
        assert list(told) == [f"schedule.{word}" for word in ("made", "changed", "paused", "resumed", "run", "deleted")]
        assert Report.objects.count() == 1  # what it led to stays


def test_the_worker_knows_the_duties() -> None:
    assert {"scheduled reports", "mails of reports"} <= {duty.name for duty in declared()}
