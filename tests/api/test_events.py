"""Exporting why there are gaps, beside the samples."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from accounts.models import Role
from collectors.models import Collector, MachineEvent
from core.tenancy import schema_context
from reports import events
from tests.cast import MACHINE, Cast

PATH = "/api/v1/performance/events?start_date=2026-01-05&end_date=2026-01-06"


@pytest.fixture
def told(alpha: Cast) -> Cast:
    with schema_context(alpha.schema):
        Collector.objects.update(created_at=datetime(2025, 1, 1, tzinfo=UTC))
        machine = Collector.objects.get(machine_id=MACHINE)
        since, until = datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 1, 5, 9, tzinfo=UTC)
        for kind, detail in (("host_down", "=rebooted,\nby hand"), ("clock_set", "")):
            MachineEvent.objects.create(
                collector=machine, kind=kind, since=since, until=until, detail=detail, received_at=until
            )
    return alpha


def test_the_events_that_touch_the_period_come_as_csv(told: Cast) -> None:
    answer = told.client(Role.ANALYST).get(PATH)
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content.decode() == (
        "machine_id,kind,since,until,detail\n"
        f"{MACHINE},clock_set,2026-01-05T08:00:00Z,2026-01-05T09:00:00Z,\n"
        f'{MACHINE},host_down,2026-01-05T08:00:00Z,2026-01-05T09:00:00Z,"\'=rebooted, by hand"\n'
    )


def test_a_report_reads_what_is_exported(told: Cast, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    path.write_bytes(told.client(Role.ANALYST).get(PATH).content)
    assert events.are_in(path)
    assert [event.words for event in events.read(path)[MACHINE]] == ["clock set", "host down: =rebooted, by hand"]


def test_a_machine_that_was_registered_meanwhile_was_not_there_before(told: Cast) -> None:
    with schema_context(told.schema):
        Collector.objects.update(created_at=datetime(2026, 1, 5, 12, tzinfo=UTC))
    text = told.client(Role.ANALYST).get(PATH).content.decode()
    assert f"{MACHINE},not_registered,2026-01-05T00:00:00Z,2026-01-05T12:00:00Z,\n" in text


def test_another_machine_another_period_and_another_partner_have_none(told: Cast, beta: Cast) -> None:
    head = "machine_id,kind,since,until,detail\n"
    assert told.client(Role.ANALYST).get(PATH.replace("2026-01-0", "2026-02-0")).content.decode() == head
    assert told.client(Role.ANALYST).get(f"{PATH}&machine_id=nobody").json()["code"] == "EXPORT_002"
    assert "host_down" not in beta.client(Role.ANALYST).get(PATH).content.decode()
    assert told.client(Role.ANALYST).get("/api/v1/performance/events").json()["code"] == "EXPORT_001"
