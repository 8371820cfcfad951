"""Reports from the portal: the queue, the making, and what happens to a worker in the middle."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from accounts.models import AuditEvent
from collectors.models import Collector, MachineEvent
from core.errors import ServiceError
from core.tenancy import schema_context
from partners.duties import declared
from reports.jobs import duties, making, queue
from reports.jobs.models import Report, ReportFile, State
from reports.jobs.queue import Order
from tests import samples
from tests.cast import MACHINE, Cast

WHO: Any = {"actor": "analyst@alpha.example", "ip": None}


def never() -> bool:
    return False


@pytest.fixture
def measured(alpha: Cast) -> Cast:
    """Two hours of samples."""
    moments = samples.minutes(datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=130), 120)
    columns = {"cpu_user": [20.0 + number % 7 for number in range(120)], "cpu_idle": [70.0] * 120}
    samples.upload(alpha, {"timestamp": moments, **columns})
    return alpha


def order(machine_ids: tuple[str, ...] = (), hours: float = 24, title: str = "Weekly") -> Order:
    now = datetime.now(UTC)
    return Order(title, machine_ids, now - timedelta(hours=hours), now, "Europe/Berlin")


def test_a_report_is_asked_for_made_by_the_worker_and_read(measured: Cast) -> None:
    with schema_context("alpha"):
        report = queue.ask(order((MACHINE,)), **WHO)
    call_command("work", "--once")
    with schema_context("alpha"):
        report.refresh_from_db()
        assert (report.state, report.progress, report.attempts) == (State.DONE, "", 1)
        pages = {form: queue.read(report.public_id, form, **WHO)[1] for form in queue.FORMS}
        assert pages["pdf"].startswith(b"%PDF-")
        assert b"Weekly" in pages["html"]
        assert MACHINE in json.dumps(json.loads(pages["json"]))
        told = list(
            AuditEvent.objects.filter(event__startswith="report.").order_by("id").values_list("event", "detail__report")
        )
        assert [event for event, _ in told] == ["report.asked", "report.made", *["report.read"] * 3]
        assert {public_id for _, public_id in told} == {report.public_id}


def test_gaps_have_their_reasons_and_machines_without_samples_are_named(measured: Cast) -> None:
    """The samples begin 130 minutes ago; the second machine was never seen."""
    now = datetime.now(UTC).replace(microsecond=0)
    with schema_context("alpha"):
        Collector.objects.filter(machine_id=MACHINE).update(created_at=now - timedelta(days=3))
        Collector.objects.create(machine_id="silent")
        seen = Collector.objects.get(machine_id=MACHINE)
        since, until = now - timedelta(hours=20), now - timedelta(minutes=130)
        MachineEvent.objects.create(collector=seen, kind="host_down", since=since, until=until, received_at=now)
        report = queue.ask(order(), **WHO)
        duties.make_reports(measured.partner, now, never)
        facts = json.loads(queue.read(report.public_id, "json", **WHO)[1])["facts"]
    assert "host down" in facts["Gaps"]
    assert facts["Note"] == "No samples at all of silent in this period."


def test_the_same_data_gives_the_same_bytes(measured: Cast) -> None:
    with schema_context("alpha"):
        asked = order()
        reports = [queue.ask(asked, **WHO) for _ in range(2)]
        for _ in reports:
            duties.make_reports(measured.partner, datetime.now(UTC), never)
        assert all(len({queue.read(one.public_id, form, **WHO)[1] for one in reports}) == 1 for form in queue.FORMS)


def test_without_samples_it_fails_with_a_sentence(alpha: Cast) -> None:
    with schema_context("alpha"):
        report = queue.ask(order(), **WHO)
        duties.make_reports(alpha.partner, datetime.now(UTC), never)
        report.refresh_from_db()
        assert report.state == State.FAILED
        assert "no samples" in report.progress.lower()
        with pytest.raises(ServiceError, match="it is failed"):
            queue.read(report.public_id, "pdf", **WHO)


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        (order(("nobody",)), "EXPORT_002", "no machine 'nobody'"),
        (order(hours=-1), "EXPORT_001", "start before it ends"),
        (order(hours=24 * 93), "EXPORT_001", "92 days at most"),
        (replace(order(), time_zone="Mars/Olympus"), "REQUEST_003", "no time zone"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_refused_at_once(alpha: Cast, wrong: Order, code: str, words: str) -> None:
    with schema_context("alpha"):
        with pytest.raises(ServiceError, match=words) as refused:
            queue.ask(wrong, **WHO)
        assert refused.value.code.code == code
        assert not Report.objects.exists()


def test_more_than_a_report_can_hold_is_refused(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REPORT_MACHINE_DAYS", 0.5)
    with schema_context("alpha"), pytest.raises(ServiceError, match="fewer machines or a shorter period"):
        queue.ask(order(), **WHO)


def test_so_many_may_wait_and_no_more(alpha: Cast) -> None:
    with schema_context("alpha"):
        for _ in range(queue.MOST_WAITING):
            queue.ask(order(), **WHO)
        with pytest.raises(ServiceError) as refused:
            queue.ask(order(), **WHO)
        assert refused.value.code.code == "RATE_001"


def test_two_workers_never_take_the_same(alpha: Cast) -> None:
    now = datetime.now(UTC)
    with schema_context("alpha"):
        first, second = queue.ask(order(), **WHO), queue.ask(order(), **WHO)
        taken = [queue.take(now), queue.take(now), queue.take(now)]
        assert [one and one.public_id for one in taken] == [first.public_id, second.public_id, None]


def test_what_a_dead_worker_left_is_taken_up_and_not_for_ever(alpha: Cast) -> None:
    now = datetime.now(UTC)
    with schema_context("alpha"):
        report = queue.ask(order(), **WHO)
        for attempt in range(queue.ATTEMPTS):
            taken = queue.take(now + attempt * 2 * queue.LEASE)
            assert taken is not None
            assert taken.attempts == attempt + 1
        assert queue.take(now + timedelta(hours=1)) is None
        report.refresh_from_db()
        assert report.state == State.FAILED
        assert "3 times" in report.progress


def test_a_worker_that_was_overtaken_stores_nothing(measured: Cast) -> None:
    with schema_context("alpha"):
        queue.ask(order(), **WHO)
        slow = queue.take(datetime.now(UTC))
        assert slow is not None
        quick = queue.take(datetime.now(UTC) + 2 * queue.LEASE)
        assert quick is not None
        assert not queue.finish(slow, {"pdf": b"slow"})
        assert queue.finish(quick, {"pdf": b"quick"})
        assert [bytes(file.content) for file in ReportFile.objects.all()] == [b"quick"]


def test_a_worker_that_is_stopped_gives_it_back_and_ends_its_process(
    measured: Cast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    monkeypatch.setattr(making, "NICENESS", "0")
    real = making._run

    def run(command: list[str], *rest: object) -> None:
        sleeper = (
            f"import os,time,pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid())); time.sleep(60)"
        )
        real([*command[:4], "-c", sleeper], *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(making, "_run", run)
    with schema_context("alpha"):
        report = queue.ask(order(), **WHO)
        taken = queue.take(datetime.now(UTC))
        assert taken is not None
        assert "given back" in making.make(taken, pid_file.exists)
        report.refresh_from_db()
        assert (report.state, report.attempts) == (State.QUEUED, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text() or "0") or 2**22, 0)


def test_one_that_is_deleted_meanwhile_leaves_nothing(measured: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with schema_context("alpha"):
        report = queue.ask(order(), **WHO)
        taken = queue.take(datetime.now(UTC))
        assert taken is not None
        queue.delete(report.public_id, **WHO)
        assert "gone" in making.make(taken, never)
        assert not ReportFile.objects.exists()


def test_the_environment_of_the_process_has_no_secrets(measured: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}
    monkeypatch.setenv("SECRET_KEY", "a-secret")

    class Popen:
        def __init__(self, *_: object, env: dict[str, str], **__: object) -> None:
            seen.update(env)
            raise making.FailedError("enough")

    monkeypatch.setattr("reports.jobs.making.subprocess.Popen", Popen)
    with schema_context("alpha"):
        queue.ask(order(), **WHO)
        duties.make_reports(measured.partner, datetime.now(UTC), never)
    assert "PATH" in seen
    assert "SECRET_KEY" not in seen


def test_old_reports_go_and_other_tenants_have_none(measured: Cast, beta: Cast) -> None:
    now = datetime.now(UTC)
    with schema_context("alpha"):
        report = queue.ask(order(), **WHO)
        taken = queue.take(now)
        assert taken is not None
        queue.finish(taken, {"pdf": b"x"})
    with schema_context("beta"):
        with pytest.raises(ServiceError):
            queue.find(report.public_id)
        assert duties.make_reports(beta.partner, now, never) == ""
    with schema_context("alpha"):
        later = now + timedelta(days=alpha_days(measured) + 1)
        assert duties.trim_reports(measured.partner, later, never) == "1 old reports"
        assert not ReportFile.objects.exists()


def alpha_days(cast: Cast) -> int:
    return cast.partner.rollup_retention_days


def test_the_worker_knows_the_duty() -> None:
    assert {"reports", "old reports"} <= {duty.name for duty in declared()}
