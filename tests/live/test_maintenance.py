"""Partitions are made and dropped while machines upload and somebody reads for long: nobody loses, nothing doubles."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest

from analysis.months import Month
from tests.live.portal import ROOT, RunningPortal, running_portal
from tests.live.senders import BATCHES, assert_each_once, finish, sending

NOW = datetime.now(UTC)
THIS = Month.of(NOW)
OLD = THIS.plus(-8)
"""A month that no partner of the cast keeps."""


@pytest.fixture
def fresh() -> Iterator[RunningPortal]:
    """A portal of this test's own, whose tables start empty."""
    with running_portal(workers=2) as running:
        yield running


@contextlib.contextmanager
def database(portal: RunningPortal) -> Iterator[Any]:
    connection = psycopg2.connect(host=portal.socket, user="postgres")
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        yield cursor


@contextlib.contextmanager
def long_read(portal: RunningPortal) -> Iterator[Any]:
    """A transaction that has read alpha's samples and goes on."""
    connection = psycopg2.connect(host=portal.socket, user="postgres")
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM alpha.analysis_data")
        yield cursor


def start_work(portal: RunningPortal, folder: Path) -> subprocess.Popen[str]:
    """`manage.py work --once` on the portal's database."""
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "core.settings", "HTTPS": "false", "LOG_LEVEL": "INFO",
        "DATABASE_URL": f"postgres://postgres@/{quote(portal.socket)}/postgres", "DATA_DIR": str(folder),
    }  # fmt: skip
    command = [sys.executable, "manage.py", "work", "--once"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def partitions(cursor: Any, table: str = "analysis_data") -> set[str]:
    cursor.execute(
        "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
        f" WHERE inhparent = 'alpha.{table}'::regclass"
    )
    return {name for (name,) in cursor.fetchall()}


def drop(cursor: Any, month: Month) -> None:
    cursor.execute(f"DROP TABLE IF EXISTS alpha.analysis_data{month.suffix}")


@pytest.mark.live
def test_two_workers_make_and_drop_partitions_beside_uploads_and_a_long_read(
    fresh: RunningPortal, tmp_path: Path
) -> None:
    with database(fresh) as cursor:
        drop(cursor, THIS.plus(3))
        cursor.execute(
            f"CREATE TABLE alpha.analysis_data{OLD.suffix} PARTITION OF alpha.analysis_data"
            f" FOR VALUES FROM ('{OLD.start:%Y-%m-%d %H:%M:%S+00}') TO ('{OLD.end:%Y-%m-%d %H:%M:%S+00}')"
        )
        with long_read(fresh) as reader:
            senders = sending(fresh)
            workers = [start_work(fresh, tmp_path / name) for name in ("first", "second")]
            wait_until(lambda: f"analysis_data{THIS.plus(3).suffix}" in partitions(cursor))
            finish(senders)
            reader.execute("SELECT count(*) FROM alpha.analysis_data")
        for worker in workers:
            _, log = worker.communicate(timeout=120)
            assert worker.returncode == 0, log
        assert f"analysis_data{OLD.suffix}" not in partitions(cursor)
        assert sum(sender.failures for sender in senders) == 0
        assert_each_once(fresh, senders)
        cursor.execute("SELECT count(*) FROM beta.analysis_data")
        assert cursor.fetchone() == (0,)


def wait_until(done: Any) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.live
def test_uploads_over_the_turn_of_months_that_have_no_partition_make_them_and_are_stored_once(
    fresh: RunningPortal,
) -> None:
    """Four senders meet the missing month at once; each batch near the turn has samples of both months."""
    months = [THIS.plus(-1), THIS.plus(-2)]
    turn = THIS.plus(-1).start
    with database(fresh) as cursor:
        for month in months:
            drop(cursor, month)
        senders = sending(fresh, senders=4, begun=turn - timedelta(seconds=3 * 3 * BATCHES * 2 - 4))
        finish(senders)
        assert_each_once(fresh, senders)
        assert {f"analysis_data{month.suffix}" for month in months} <= partitions(cursor)
        cursor.execute("SELECT count(*) FILTER (WHERE timestamp < %s), count(*) FROM alpha.analysis_data", [turn])
        before, total = cursor.fetchone()
        assert 0 < before < total
