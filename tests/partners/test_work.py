"""manage.py work: the duties of all partners, several workers, stopping, and the heartbeat."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from analysis import duties as analysis_duties
from analysis import partitions, retention, rollups, rollups_tables
from analysis.months import Month
from analysis.partitions import Partition
from core import embedded
from core.tenancy import schema_context
from partners import duties, heartbeat
from partners.management.commands import work
from partners.models import Partner
from tests import samples
from tests.cast import Cast

ROOT = Path(__file__).resolve().parents[2]
LONG = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def now() -> datetime:
    return datetime.now(UTC)


def store(cast: Cast, moments: list[datetime]) -> None:
    samples.upload(cast, {"timestamp": moments, "cpu_user": [1.0] * len(moments)}, window=LONG)
    with schema_context(cast.schema):
        rollups.mark_stale([rollups.Span(cast.collector().pk, moments[0], moments[-1])], now())


def test_one_turn_does_every_duty_for_every_partner(alpha: Cast, beta: Cast) -> None:
    gone = (retention.cutoff(now(), 90) - timedelta(days=70)).replace(minute=10)
    for cast in (alpha, beta):
        store(cast, [gone, gone + timedelta(minutes=1)])
        store(cast, samples.minutes(samples.recent(5).replace(minute=10), 60))
        with schema_context(cast.schema):
            partitions.drop(Partition("analysis_disks", Month.of(now()).plus(3)))
    call_command("work", "--once")
    for cast in (alpha, beta):
        assert samples.count(cast) == 60
        assert samples.count(cast, "analysis_data_hourly") == 3  # that of the samples that are gone is kept
        with schema_context(cast.schema):
            there = partitions.existing()
            assert partitions.plan_ahead(now()) == []
        assert Month.of(gone) not in {partition.month for partition in there}


def test_doing_it_again_changes_nothing(alpha: Cast) -> None:
    store(alpha, samples.minutes(samples.recent(5), 60))
    call_command("work", "--once")
    before = samples.count(alpha), samples.count(alpha, "analysis_data_hourly")
    call_command("work", "--once")
    assert (samples.count(alpha), samples.count(alpha, "analysis_data_hourly")) == before


def test_roll_ups_go_by_their_own_limit(alpha: Cast) -> None:
    old = now() - timedelta(days=alpha.partner.rollup_retention_days + 1)
    store(alpha, [old, now() - timedelta(days=400)])
    call_command("work", "--once")
    assert samples.count(alpha, "analysis_data_hourly") == 1


def test_samples_that_are_not_rolled_up_are_kept(alpha: Cast) -> None:
    store(alpha, [now() - timedelta(days=200)])
    with schema_context("alpha"):
        rollups.execute(f"UPDATE {rollups_tables.ROLLED} SET until = %s", [now() - timedelta(days=300)])
        said = analysis_duties.apply_retention(alpha.partner, now(), rollups.never)
    assert said == "waits for roll-ups"
    assert samples.count(alpha) == 1


def test_a_partner_in_trouble_does_not_stop_the_others(
    alpha: Cast, beta: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def run(partner: Partner, now: datetime, stopped: duties.Stopped) -> str:
        done.append(partner.schema_name)
        if partner.schema_name == "alpha":
            raise DatabaseError("no")
        return ""

    monkeypatch.setattr(duties, "declared", lambda: (duties.Duty("trouble", timedelta(hours=1), run),))
    monkeypatch.setattr(connection, "close", lambda: None)  # it would end the test's transaction
    with pytest.raises(CommandError, match="1 duties failed"):
        call_command("work", "--once")
    assert done == ["alpha", "beta"]


def test_a_duty_that_another_worker_is_at_is_passed_over(alpha: Cast) -> None:
    lock = "SELECT pg_advisory_lock(%s, hashtext('alpha ' || 'roll-ups'))"
    with closing(psycopg2.connect(**connection.get_connection_params())) as other, other.cursor() as cursor:
        cursor.execute(lock, [duties._ADVISORY])
        with schema_context("alpha"):
            with duties.alone("roll-ups") as mine:
                assert not mine
            with duties.alone("partitions") as mine:
                assert mine
        cursor.execute("SELECT pg_advisory_unlock_all()")  # a closed connection lets go of it only a little later
        cursor.execute(lock.replace("lock(", "unlock("), [duties._ADVISORY])
    with schema_context("alpha"), duties.alone("roll-ups") as mine:
        assert mine


def test_a_turn_tells_that_it_is_alive(alpha: Cast, tmp_path: Path) -> None:
    assert heartbeat.last() is None
    call_command("work", "--once", "--alive-file", tmp_path / "alive")
    seen = heartbeat.last()
    assert seen
    assert now() - seen < timedelta(seconds=60)
    assert (tmp_path / "alive").exists()


def test_a_stop_is_heeded_between_two_duties(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, done = work.Worker(), []

    def run(partner: Partner, now: datetime, stopped: duties.Stopped) -> str:
        worker.stop(signal.SIGTERM, None)
        done.append(partner.schema_name)
        return ""

    assert worker.turn([duties.Duty("stop", timedelta(hours=1), run)]) == 0
    assert done == ["alpha"]


def test_two_workers_do_the_duties_and_end_cleanly_at_sigterm(alpha: Cast, tmp_path: Path) -> None:
    """Real processes on the test's database; SIGTERM ends them with 0, soon."""
    base = settings.DATABASE_URL or embedded.locate(Path(settings.DATA_DIR)).url()
    url = f"{base.rpartition('/')[0]}/{connection.settings_dict['NAME']}"
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "core.settings", "LOG_LEVEL": "INFO",
        "DATABASE_URL": url, "DATA_DIR": str(tmp_path),
    }  # fmt: skip
    alive = [tmp_path / "first", tmp_path / "second"]
    workers = [
        subprocess.Popen([sys.executable, "manage.py", "work", "--alive-file", file], cwd=ROOT, env=environment,
                         stderr=subprocess.PIPE, text=True)
        for file in alive
    ]  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not all(file.exists() for file in alive) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        for worker in workers:
            worker.terminate()
        for worker in workers:
            _, log = worker.communicate(timeout=20)
            assert worker.returncode == 0, log
            assert "working" in log
            assert log.rstrip().endswith("stopped")
            assert "Traceback" not in log
    finally:
        for worker in workers:
            worker.kill()
