"""core.embedded (trap 38): a server that changes no folder of others, and that nothing stops from starting again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from core import embedded

PROJECT = Path(__file__).resolve().parents[2]
OWNER = """
import sys
from pathlib import Path
from core import embedded
embedded.ROOT_HOME = Path(sys.argv[2])
with embedded.running(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder that every user may pass through; in it `var` stands for /var/lib/perfanalysis."""
    patch = pytest.MonkeyPatch()
    with tempfile.TemporaryDirectory(prefix="perfanalysis-") as name:
        Path(name).chmod(0o711)
        patch.setattr(embedded, "ROOT_HOME", Path(name) / "var")
        yield Path(name)
    patch.undo()


@pytest.fixture(scope="module")
def data(home: Path) -> Path:
    """A data folder whose cluster is made, once for all tests, and stopped."""
    with embedded.running(home / "data"):
        pass
    return home / "data"


@contextlib.contextmanager
def owner(data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the server."""
    command = [sys.executable, "-c", OWNER, str(data), str(embedded.ROOT_HOME)]
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    try:
        yield process
    finally:
        process.communicate(timeout=30)


def pid_file(data: Path) -> Path:
    return embedded.locate(data).data / "postmaster.pid"


def server_pid(data: Path) -> int:
    return int(pid_file(data).read_text().split("\n", 1)[0])


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 15
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"the server {pid} still runs"
        time.sleep(0.05)


def query(data: Path, statement: str) -> object:
    with contextlib.closing(psycopg2.connect(host=str(embedded.locate(data).socket), user="postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@as_root
def test_below_a_closed_folder_no_folder_changes_and_the_cluster_goes_elsewhere(home: Path) -> None:
    closed = home / "closed"
    data = closed / "project" / ".data"
    data.mkdir(parents=True)
    closed.chmod(0o700)
    folders = [*data.parents, data]
    before = [(mode(folder), folder.stat().st_uid) for folder in folders]
    with embedded.running(data) as cluster:
        assert [(mode(folder), folder.stat().st_uid) for folder in folders] == before
        assert list(data.iterdir()) == []
        assert cluster.data.is_relative_to(home / "var")
        assert (mode(cluster.data), mode(cluster.socket)) == (0o700, 0o700)
        assert cluster.data.stat().st_uid == cluster.uid != 0
        assert query(data, "SELECT 6 * 7") == 42


def test_in_an_open_folder_the_cluster_lives_in_the_data_folder(data: Path) -> None:
    cluster = embedded.locate(data)
    assert (cluster.data, cluster.socket) == (data / "postgres", data / "socket")
    assert (mode(cluster.data), mode(cluster.socket)) == (0o700, 0o700)


@as_root
def test_a_data_folder_that_is_closed_itself_is_left_alone(home: Path) -> None:
    (home / "private").mkdir(mode=0o700)
    assert embedded.locate(home / "private").data.is_relative_to(home / "var")
    assert mode(home / "private") == 0o700


@as_root
def test_the_folders_it_makes_can_be_passed_through_under_any_umask(home: Path) -> None:
    before = os.umask(0o077)
    try:
        embedded._make_folder(home / "a" / "b", None, None, 0o711)
    finally:
        os.umask(before)
    assert (mode(home / "a"), mode(home / "a" / "b")) == (0o711, 0o711)


def test_a_path_too_long_for_a_socket_puts_the_socket_elsewhere(home: Path) -> None:
    cluster = embedded.locate(home / ("long" * 25))
    assert cluster.data.is_relative_to(home)
    assert len(str(cluster.socket)) <= embedded.MAX_SOCKET_PATH


@as_root
def test_a_folder_of_somebody_else_is_refused(home: Path) -> None:
    (home / "foreign" / "postgres").mkdir(parents=True)
    with (
        pytest.raises(embedded.EmbeddedDatabaseError, match="belongs to another user"),
        embedded.running(home / "foreign"),
    ):
        pass


def test_the_server_has_only_a_socket_of_its_own(data: Path) -> None:
    with embedded.running(data) as cluster:
        assert query(data, "SHOW listen_addresses") == ""
        assert query(data, "SHOW timezone") == "UTC"
        assert mode(next(cluster.socket.glob(".s.PGSQL.*[0-9]"))) == 0o700


def test_the_server_ends_with_its_block(data: Path) -> None:
    with embedded.running(data):
        pid = server_pid(data)
    assert not Path(f"/proc/{pid}").exists()
    assert not pid_file(data).exists()


def test_a_second_process_uses_the_running_server_and_leaves_it_running(data: Path) -> None:
    with owner(data):
        pid = server_pid(data)
        with embedded.running(data):
            assert server_pid(data) == pid
        assert query(data, "SELECT 1") == 1
    wait_for_end(pid)


def test_a_killed_owner_takes_the_server_along_and_the_next_start_finds_the_data(data: Path) -> None:
    with owner(data) as process:
        pid = server_pid(data)
        query(data, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS one")
        process.kill()
        process.wait()
        with embedded.running(data):  # at once: the old one may still be shutting down
            assert server_pid(data) != pid
            assert query(data, "SELECT one FROM kept") == 1
    wait_for_end(pid)


def test_owner_and_server_killed_together_leave_nothing_that_stops_the_next_start(data: Path) -> None:
    with owner(data) as process:
        os.kill(server_pid(data), signal.SIGKILL)
        process.kill()
    assert pid_file(data).exists()
    with embedded.running(data):
        assert query(data, "SELECT 1") == 1


def test_a_pid_file_that_names_a_living_stranger_does_not_stop_the_start(data: Path) -> None:
    """As after a reboot, or in a container: the number of the dead server belongs to another process."""
    pid_file(data).write_text(f"{os.getpid()}\n{embedded.locate(data).data}\n")
    with embedded.running(data):
        assert query(data, "SELECT 1") == 1


def test_the_server_of_another_cluster_is_a_stranger_too(home: Path, data: Path) -> None:
    with embedded.running(data) as cluster:
        pid = str(server_pid(data))
        assert embedded._serves(pid, cluster)
        assert not embedded._serves(pid, embedded.locate(home / "other"))
    assert not embedded._serves(pid, cluster)
    assert not embedded._serves("garbage", cluster)


def test_an_initdb_that_was_killed_is_begun_again(home: Path) -> None:
    cluster = embedded._own(embedded.locate(home / "half"))
    with embedded._locked(cluster):
        embedded._make_folder(cluster.data, cluster.uid, cluster.gid, 0o700)
    (cluster.data / "base").mkdir()
    (cluster.data / "postgresql.conf").write_text("nonsense")
    with embedded.running(home / "half"):
        assert query(home / "half", "SELECT 1") == 1


def test_a_server_that_cannot_start_says_why(data: Path) -> None:
    conf = embedded.locate(data).data / "postgresql.auto.conf"
    before = conf.read_text()
    conf.write_text("no_such_setting = 1\n")
    try:
        with pytest.raises(embedded.EmbeddedDatabaseError, match="no_such_setting"), embedded.running(data):
            pass
    finally:
        conf.write_text(before)
