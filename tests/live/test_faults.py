"""The database or a worker dies in mid-upload, or the disk is full: what was answered 201 is there, and there once."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg2
import pytest

from core import embedded
from tests.live.portal import RunningPortal, running_portal
from tests.live.senders import Sender, assert_each_once, finish, sending, wait_for_one


@pytest.fixture
def mortal() -> Iterator[RunningPortal]:
    """A portal of this test's own, with two workers, because something in it dies."""
    with running_portal(workers=2) as running:
        yield running


def data_folder(portal: RunningPortal) -> Path:
    connection = psycopg2.connect(host=portal.socket, user="postgres")
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        return Path(cursor.fetchone()[0])


def server_of(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "postmaster.pid").read_text().split("\n")[0]))


def workers() -> list[psutil.Process]:
    """The web workers below this test, and of no other portal."""
    below = psutil.Process().children(recursive=True)
    return [process for process in below if not process.children() and "granian" in " ".join(process.cmdline())]


@pytest.mark.live
def test_a_worker_that_is_killed_loses_and_doubles_nothing(mortal: RunningPortal) -> None:
    """Killed at moments that lie before and after commits; the server starts another."""
    senders = sending(mortal)
    killed = 0
    while any(sender.is_alive() for sender in senders) and killed < 6:
        time.sleep(0.15)
        for process in workers()[:1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                killed += 1
    finish(senders)
    assert killed
    assert_each_once(mortal, senders)


@pytest.mark.live
def test_an_immediate_stop_of_the_database_loses_and_doubles_nothing(mortal: RunningPortal) -> None:
    folder = data_folder(mortal)
    server = server_of(folder)
    senders = sending(mortal)
    wait_for_one(senders)
    server.send_signal(signal.SIGQUIT)  # what pg_ctl stop -m immediate sends
    with restarted(folder, Path(mortal.socket), server):
        finish(senders)
        assert sum(sender.failures for sender in senders)
        assert_each_once(mortal, senders)


def wait_until_gone(server: psutil.Process) -> None:
    deadline = time.monotonic() + 30
    with contextlib.suppress(psutil.NoSuchProcess):
        while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@contextlib.contextmanager
def restarted(folder: Path, socket: Path, former: psutil.Process) -> Iterator[None]:
    """The same cluster again, once its former server is gone; this one ends with the block, by its id."""
    wait_until_gone(former)
    cluster = replace(embedded._own(embedded.locate(folder.parent)), data=folder, socket=socket)
    server = embedded._start(cluster)
    try:
        yield
    finally:
        embedded._stop(server)


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of that size, for the user that the database runs as."""
    folder.mkdir()
    options = f"size={kilobytes}k,mode=0700"
    if os.geteuid() == 0:
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(embedded.SYSTEM_USER)
            options += f",uid={user.pw_uid},gid={user.pw_gid}"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.live
def test_a_full_disk_of_the_log_stops_the_database_and_loses_and_doubles_nothing(mortal: RunningPortal) -> None:
    """PostgreSQL panics then, and does not come back before there is room."""
    folder, socket = data_folder(mortal), Path(mortal.socket)
    with small_disk(folder.parent / "log", 20 * 1024) as disk:
        server = server_of(folder)
        server.send_signal(signal.SIGINT)
        wait_until_gone(server)
        move_log(folder, disk)
        with restarted(folder, socket, server):
            senders = sending(mortal)
            wait_for_one(senders)
            fill(disk / "filler")
            switch_log(mortal)
            server = server_of(folder)
            wait_until_gone(server)
        subprocess.run(["mount", "-o", "remount,size=128m", disk], check=True)
        (disk / "filler").unlink()
        with restarted(folder, socket, server):
            finish(senders)
            assert sum(sender.failures for sender in senders)
            assert_each_once(mortal, senders)


def move_log(folder: Path, disk: Path) -> None:
    """A log of one segment, of 16 MB, on that disk; the server must have been shut down."""
    cluster = embedded._own(embedded.locate(folder.parent))
    subprocess.run([cluster.programs / "pg_resetwal", "-D", folder], check=True, preexec_fn=embedded._become(cluster))
    log = folder / "pg_wal"
    subprocess.run(["cp", "-a", f"{log}/.", disk], check=True)
    shutil.rmtree(log)
    log.symlink_to(disk)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def switch_log(portal: RunningPortal) -> None:
    """To a new segment, for which there is no room."""
    with (
        contextlib.suppress(psycopg2.Error),
        contextlib.closing(psycopg2.connect(host=portal.socket, user="postgres")) as connection,
        connection.cursor() as cursor,
    ):
        for _ in range(2):
            cursor.execute("SELECT pg_switch_wal(); CREATE TABLE public.anything (); DROP TABLE public.anything")
            connection.commit()


@pytest.mark.live
def test_a_full_disk_loses_and_doubles_nothing_and_uploads_go_on_when_there_is_room(mortal: RunningPortal) -> None:
    # Not below pytest's own folder, which is closed to the database's user.
    folder = data_folder(mortal).parent / "small"
    with small_disk(folder, 400):
        move_samples(mortal, folder)
        senders = sending(mortal, rows=100)
        wait_for_failures(senders)
        subprocess.run(["mount", "-o", "remount,size=64m", folder], check=True)
        finish(senders)
        assert_each_once(mortal, senders)
        move_samples(mortal, None)


def move_samples(portal: RunningPortal, folder: Path | None) -> None:
    """Alpha's partitions to a table space in the folder; None: back to where the others are."""
    connection = psycopg2.connect(host=portal.socket, user="postgres")
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        if folder:
            cursor.execute("CREATE TABLESPACE small LOCATION %s", [str(folder)])
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'alpha.analysis_data'::regclass"
        )
        for (partition,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {partition} SET TABLESPACE {'small' if folder else 'pg_default'}")
        if not folder:
            cursor.execute("DROP TABLESPACE small")


def wait_for_failures(senders: list[Sender]) -> None:
    deadline = time.monotonic() + 60
    while not all(sender.failures for sender in senders):
        assert time.monotonic() < deadline, [sender.accepted for sender in senders]
        time.sleep(0.05)
