"""Never lose, never double: portal, relay and agent on loopback, killed and restarted in the middle, then counted.

Usage: python -m bench.endurance [--minutes 2]. The agent samples every second and uploads through the relay. What it
collected is known from its own spool: every file that it makes there gets a second name, and so outlives its deletion.
Goals: every sample collected is stored (zero missing), each once (zero double), and a second without a sample is one in
which the agent was dead.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import psycopg2

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent.journal import decode_batch
from core.batch import parse_timestamp
from core.catalogue import DATASETS
from core.processes import start, stop
from tests.live.portal import ROOT, RunningPortal, free_port

PARTNER = "alpha"
MACHINE = "server1"
UPLOAD_SECONDS = 5
POLL_SECONDS = 0.05
DRAIN_SECONDS = 300.0
MAX_SKIPPED_SHARE = 0.01
"""Of seconds that a living agent passed over: the machine was busy with something else."""
Key = tuple[str, datetime, str]


def serve_portal(port: int) -> None:
    """In a child: the portal of the tests, on a data folder that may be that of an earlier start."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "core.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from core import embedded, processes
    from core.management.commands import serve
    from partners.models import Partner
    from tests.cast import PASSWORD, open_cast
    from tests.live.portal_process import _wait_until_it_answers

    with embedded.running(Path(settings.DATA_DIR)) as cluster:
        call_command("migrate_schemas", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        known = Partner.objects.filter(schema_name=PARTNER).exists()
        keys = {} if known else {PARTNER: open_cast(PARTNER).key}
        server = serve.start("127.0.0.1", port, workers=1, threads=4)
        _wait_until_it_answers(port)
        ready = {"port": port, "password": PASSWORD, "keys": keys, "socket": str(cluster.socket)}
        print(json.dumps(ready), flush=True)
        processes.run_until_stopped(server)


@dataclass
class Part:
    """One of the three programs; `dead` are the times between its end and its next start."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    dead: list[tuple[float, float]] = field(default_factory=list)
    _ended: float = 0.0

    def start(self) -> None:
        if self._ended:
            self.dead.append((self._ended, time.time()))
        with self.log.open("ab") as output:
            self.process = start(self.command, ROOT, {**os.environ, **self.environment}, output)

    def kill(self) -> None:
        """As a crash does it: no handler runs."""
        assert self.process is not None
        self._ended = time.time()
        self.process.kill()
        self.process.wait()
        say(f"kill -9 of the {self.name}")

    def stop(self) -> None:
        if self.process is not None:
            self._ended = time.time()
            stop(self.process, 60)


class Recorder(threading.Thread):
    """Keeps a name of its own for every file of the spool: the data stay when the agent deletes the file."""

    def __init__(self, queue: Path, folder: Path) -> None:
        super().__init__(daemon=True)
        self._queue, self._folder = queue, folder
        self._known: set[str] = set()
        self._stopping = threading.Event()
        folder.mkdir()

    def run(self) -> None:
        while not self._stopping.wait(POLL_SECONDS):
            self.look()

    def look(self) -> None:
        """The batch id stays when a journal becomes a batch; both are the same file."""
        with contextlib.suppress(FileNotFoundError):
            for path in self._queue.iterdir():
                batch_id = path.name[11:43]
                if batch_id not in self._known and path.suffix != ".tmp":
                    with contextlib.suppress(FileNotFoundError):
                        os.link(path, self._folder / batch_id)
                        self._known.add(batch_id)

    def finish(self) -> Counter[Key]:
        """How often each sample was collected."""
        self.look()
        self._stopping.set()
        self.join()
        return sum((_keys(path.read_bytes()) for path in self._folder.iterdir()), Counter())


def _keys(data: bytes) -> Counter[Key]:
    batch, _ = decode_batch(data)
    return Counter(key for name, text in batch.files().items() for key in keys_of(name, text))


def keys_of(dataset: str, text: str) -> Iterator[Key]:
    instance = DATASETS[dataset].instance
    for row in csv.DictReader(io.StringIO(text)):
        yield dataset, parse_timestamp(row["timestamp"]), row[instance] if instance else ""


class Stage:
    """The three programs and where they live."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.relay_port = free_port(), free_port()
        limits = dict.fromkeys(("REQUEST_RATE", "UPLOAD_RATE", "SIGN_IN_RATE"), "100000/m")
        data = {**limits, "DATA_DIR": str(folder / "data"), "HTTPS": "false", "DATABASE_URL": "", "LOG_LEVEL": "ERROR"}
        command = [sys.executable, "-m", "bench.endurance", "--serve-portal", str(self.port)]
        self.portal = Part("portal", command, data, folder / "portal.log")
        self.relay = self._agent("relay", f"http://{PARTNER}.localhost:{self.port}", "")
        self.agent = self._agent("run", f"http://localhost:{self.relay_port}", "")
        (folder / "data").mkdir()

    def _agent(self, command: str, url: str, key: str) -> Part:
        environment = {
            "PERFAGENT_CONFIG": "",
            "PERFAGENT_URL": url,
            "PERFAGENT_KEY": key,
            "PERFAGENT_MACHINE_ID": MACHINE,
            "PERFAGENT_SPOOL_DIR": str(self.folder / command),
            "PERFAGENT_SAMPLE_SECONDS": "1",
            "PERFAGENT_UPLOAD_SECONDS": str(UPLOAD_SECONDS),
            "PERFAGENT_RELAY_LISTEN": f"127.0.0.1:{self.relay_port}",
        }
        name = "relay" if command == "relay" else "agent"
        return Part(name, [sys.executable, "-m", "agent", command], environment, self.folder / f"{name}.log")

    def open(self) -> RunningPortal:
        """The first start of all, in order."""
        self.start_portal()
        ready = json.loads(self._ready_line())
        self.agent.environment["PERFAGENT_KEY"] = ready["keys"][PARTNER]
        self.relay.start()
        wait_for(self.relay_answers, 30, "the relay to answer")
        self.agent.start()
        return RunningPortal(**ready)

    def start_portal(self) -> None:
        self.portal.log.write_bytes(b"")
        self.portal.start()
        wait_for(lambda: bool(self._ready_line()), 120, f"the portal to answer (see {self.portal.log})")

    def _ready_line(self) -> str:
        lines = self.portal.log.read_text().splitlines()
        return next((line for line in lines if line.startswith('{"port"')), "")

    def relay_answers(self) -> bool:
        try:
            return self.relay_waiting() >= 0
        except OSError:
            return False

    def relay_waiting(self) -> int:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.relay_port}/health", timeout=5) as answer:
            return int(json.load(answer)["waiting_batches"])

    def close(self) -> None:
        for part in (self.agent, self.relay, self.portal):
            part.stop()


def wait_for(is_true: Callable[[], bool], seconds: float, what: str) -> None:
    ends = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > ends:
            raise SystemExit(f"waited {seconds:g} s for {what}")
        time.sleep(0.2)


def say(sentence: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {sentence}", flush=True)


def torment(stage: Stage, seconds: float) -> None:
    """The plot, in shares of the whole time."""
    begun = time.monotonic()

    def at(share: float) -> None:
        time.sleep(max(begun + share * seconds - time.monotonic(), 0))

    at(0.20)
    stage.agent.kill()
    time.sleep(3)
    stage.agent.start()
    at(0.35)
    say("the portal goes away")
    stage.portal.stop()
    at(0.42)
    stage.relay.kill()
    time.sleep(2)
    stage.relay.start()
    at(0.50)
    stage.start_portal()
    say("the portal is back")
    at(0.65)
    stage.relay.kill()
    at(0.75)
    stage.agent.kill()
    stage.relay.start()
    stage.agent.start()
    at(1.0)


def drain(stage: Stage) -> None:
    """The agent stops with a last upload; what it could not send goes by `once`, and the relay empties."""
    stage.agent.stop()
    queue = stage.folder / "run" / "queue"
    ends = time.monotonic() + DRAIN_SECONDS
    while any(queue.iterdir()) and time.monotonic() < ends:
        command = [sys.executable, "-m", "agent", "once"]
        environment = {**os.environ, **stage.agent.environment}
        subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, timeout=120, check=False)
    wait_for(lambda: stage.relay_waiting() == 0, DRAIN_SECONDS, "the relay to forward everything")


def exported(portal: RunningPortal) -> Counter[Key]:
    """What the portal has, by its own export."""
    cookie = portal.sign_in(PARTNER, "analyst")
    first, last = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    found: Counter[Key] = Counter()
    for dataset in DATASETS:
        query = f"start_date={first:%Y-%m-%d}&end_date={last:%Y-%m-%d}&machine_id={MACHINE}&dataset={dataset}"
        path = f"/api/v1/performance/export?{query}"
        answer = portal.request(PARTNER, "GET", path, headers={"Cookie": cookie})
        assert answer.status == 200, answer.body
        found.update(keys_of(dataset, answer.body.decode()))
    return found


def repeated_rows(portal: RunningPortal) -> int:
    """Rows that came again under another batch id: the table cannot hold them twice, the ledger counts them."""
    with contextlib.closing(psycopg2.connect(host=portal.socket, user="postgres")) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT coalesce(sum(duplicates), 0) FROM {PARTNER}.analysis_batch")
        (count,) = cursor.fetchone() or (0,)
        return int(count)


def skipped_seconds(moments: list[datetime], dead: list[tuple[float, float]]) -> tuple[int, int]:
    """Seconds without a sample: while the agent was dead (or had just started, before its first sample), and else."""
    in_death = otherwise = 0
    for before, after in pairwise(moments):
        missing = round((after - before).total_seconds()) - 1
        if any(before.timestamp() <= end + 1 and after.timestamp() >= begin for begin, end in dead):
            in_death += max(missing, 0)
        else:
            otherwise += max(missing, 0)
    return in_death, otherwise


def judge(stage: Stage, portal: RunningPortal, collected: Counter[Key]) -> bool:
    stored = exported(portal)
    missing, unknown = collected.keys() - stored.keys(), stored.keys() - collected.keys()
    double = sum(count - 1 for count in [*collected.values(), *stored.values()]) + repeated_rows(portal)
    moments = sorted(moment for dataset, moment, _ in collected if dataset == "system")
    in_death, otherwise = skipped_seconds(moments, stage.agent.dead)
    print(f"collected   {len(moments)} samples, {len(collected)} rows of {len(DATASETS)} datasets")
    print(f"stored      {len(stored)} rows")
    print(f"missing     {len(missing)}")
    print(f"double      {double}")
    print(f"unknown     {len(unknown)} (stored, but not in the spool's record)")
    print(f"no sample   {in_death} s while the agent was dead, {otherwise} s while it ran")
    return not missing and not double and not unknown and otherwise <= MAX_SKIPPED_SHARE * len(moments)


def run(seconds: float) -> bool:
    with tempfile.TemporaryDirectory(prefix="perfanalysis-endurance-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        stage = Stage(Path(name))
        recorder = Recorder(stage.folder / "run" / "queue", stage.folder / "record")
        recorder.start()
        try:
            portal = stage.open()
            say(f"sampling every second for {seconds / 60:g} minutes")
            torment(stage, seconds)
            drain(stage)
            return judge(stage, portal, recorder.finish())
        finally:
            stage.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="0.5 to 600")
    parser.add_argument("--serve-portal", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_portal:
        serve_portal(options.serve_portal)
        return 0
    if not 0.5 <= options.minutes <= 600:
        parser.error("--minutes must be from 0.5 to 600")
    good = run(options.minutes * 60)
    print("verdict     nothing lost, nothing double" if good else "verdict     FAILED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
