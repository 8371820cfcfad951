"""What watching costs: this agent, and prometheus-node-exporter and collectd where they are installed, in one run.

Usage: python -m bench.agent [--minutes 1] [--growth 10000]. Each samples once a second, one watcher after the other.
Ours runs twice: as it is with one sample a second; and as by default, with one a minute and an upload each fifth, but
sixty times faster: each sample is synced, every other writes the status, and uploads go over TLS to a portal in this
process. From that follows the day. Goals, at one sample a second: CPU 1.0 ms each without processes and 4 ms
with them, 20 MB resident, no growth over 10,000 samples.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import shutil
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent import build, reading, sample
from agent.spool import Spool
from tests.agent.model import Portal, Reply, Serving

SAMPLES_A_DAY, UPLOADS_A_DAY, SAMPLES_AN_UPLOAD = 1440, 288, 5
WINDOWS = 6
WARM_UP_SECONDS = 3.0
EXPORTER_PORT = 19_100
AS_EACH_MINUTE = """
import sys
sys.path.insert(0, sys.argv[1])
from agent import spool, state
spool.SYNC_SECONDS /= 60
state.sign_of_life_seconds = lambda sample_seconds: 1.5 * sample_seconds
from agent.commands import main
sys.exit(main(["run"]))
"""
COLLECTD = """
Interval 1
BaseDir "{folder}"
PIDFile "{folder}/pid"
LoadPlugin cpu
LoadPlugin memory
LoadPlugin swap
LoadPlugin disk
LoadPlugin interface
LoadPlugin df
LoadPlugin load
LoadPlugin contextswitch
{processes}
LoadPlugin csv
<Plugin csv>
  DataDir "{folder}/csv"
</Plugin>
"""


@dataclass(frozen=True)
class Use:
    """Since a process began. cpu: seconds of it and its threads; children: of those it has waited for."""

    cpu: float
    children: float
    written: int

    @classmethod
    def of(cls, pid: int) -> Use:
        """CPU from the process's own clock (clock_getcpuclockid(3)), which counts nanoseconds, not ticks."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        waited = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
        written = Path(f"/proc/{pid}/io").read_text().partition("\nwrite_bytes: ")[2].split()[0]
        return cls(time.clock_gettime(~pid << 3 | 2), waited, int(written))


def cpu_ms_a_second(pid: int, seconds: float) -> float:
    """The median of six windows that last so long together: another's burst of work slows one of them."""
    seen = [Use.of(pid).cpu]
    for _ in range(WINDOWS):
        time.sleep(seconds / WINDOWS)
        seen.append(Use.of(pid).cpu)
    spent = [after - before for before, after in itertools.pairwise(seen)]
    return 1000 * statistics.median(spent) / (seconds / WINDOWS)


def resident_mb(pid: int, field: str = "VmRSS") -> float:
    """VmRSS: now; VmHWM: the most there ever was."""
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/status").read_text().partition(f"{field}:")[2].split()[0]) / 1024
    return 0.0


@dataclass(frozen=True)
class ByDefault:
    """cpu_ms: a sample, with the service's part in a fifth of an upload. child_ms, child_mb: of the upload process."""

    cpu_ms: float
    child_ms: float
    child_mb: float


@dataclass(frozen=True)
class Cost:
    """Of one watcher. cpu_ms: a sample, of one a second. written, sent: bytes a sample, None if not counted."""

    name: str
    cpu_ms: float
    resident_mb: float
    written: float | None = None
    sent: float | None = None
    by_default: ByDefault | None = None

    @property
    def cpu_seconds_a_day(self) -> float:
        """At one sample a minute."""
        ours = self.by_default or ByDefault(self.cpu_ms, 0.0, 0.0)
        return (SAMPLES_A_DAY * ours.cpu_ms + UPLOADS_A_DAY * ours.child_ms) / 1000

    def line(self) -> str:
        ours = self.by_default
        cells = (
            self.name,
            f"{self.cpu_ms:.2f} ms",
            f"{self.resident_mb:.1f} MB",
            f"{ours.cpu_ms:.2f} ms" if ours else "",
            f"{ours.child_ms:.1f} ms" if ours else "",
            f"{ours.child_mb:.1f} MB" if ours else "",
            f"{self.cpu_seconds_a_day:.1f} s",
            _a_day(self.written),
            _a_day(self.sent),
        )
        return ROW.format(*cells)


def _a_day(bytes_a_sample: float | None) -> str:
    return "" if bytes_a_sample is None else f"{bytes_a_sample * SAMPLES_A_DAY / 1e6:.2f} MB"


ROW = "{:27} {:>9} {:>9}   {:>9} {:>9} {:>9}   {:>7} {:>9} {:>9}"
HEAD = "\n".join(
    (
        ROW.format("", "a second:", "", "a minute:", "upload", "", "a day:", "", ""),
        ROW.format("", "CPU each", "resident", "CPU each", "child CPU", "at most", "CPU", "written", "sent"),
    )
)


class Sink(Portal):
    """A portal that keeps nothing, so that this process does not grow; it counts the bytes it was sent.

    agent: whose children are looked at while they send. child_mb: the most that one had in memory.
    """

    sent, agent, child_mb = 0, 0, 0.0

    def receive(self, headers: dict[str, str], body: bytes) -> Reply | None:
        reply = super().receive(headers, body)
        for kept in (self.ledger, self.parts, self.rows, self.requests, self.notes):
            kept.clear()
        self.sent += len(body) + sum(len(name) + len(value) + 4 for name, value in headers.items())
        if self.agent:
            children = Path(f"/proc/{self.agent}/task/{self.agent}/children").read_text().split()
            self.child_mb = max(self.child_mb, *(resident_mb(int(child), "VmHWM") for child in children))
        return reply


@contextlib.contextmanager
def portal(folder: Path) -> Iterator[tuple[Sink, dict[str, str]]]:
    """A sink, and the environment in which the agent finds and trusts it; plain HTTP without openssl."""
    sink, serving = Sink(), Serving(Sink())
    serving.serve(sink)
    trust: dict[str, str] = {}
    if shutil.which("openssl"):
        key, certificate = folder / "key.pem", folder / "cert.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        names = ["-days", "2", "-subj", "/CN=bench.localhost", "-addext", "subjectAltName=DNS:bench.localhost"]
        files = ["-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*command, *files, *names], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        serving.server.socket = context.wrap_socket(serving.server.socket, server_side=True)
        trust = authorities(folder, certificate)
    scheme = "https" if trust else "http"
    with serving as url:
        yield sink, {"PERFAGENT_URL": url.replace("http://test.", f"{scheme}://bench."), **trust}


def authorities(folder: Path, certificate: Path) -> dict[str, str]:
    """The certificate among all that this system trusts: in one file, and by its hash in a folder, as on Debian."""
    hashed, bundle = folder / "authorities", folder / "authorities.crt"
    system = ssl.get_default_verify_paths()
    known = Path(system.cafile).read_text() if system.cafile else ""
    bundle.write_text(known + certificate.read_text())
    hashed.mkdir()
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(certificate)]
    digest = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (hashed / f"{digest}.0").symlink_to(certificate)
    return {"SSL_CERT_FILE": str(bundle), "SSL_CERT_DIR": str(hashed)}


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str] | None = None) -> Iterator[int]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
        try:
            time.sleep(WARM_UP_SECONDS)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)


@dataclass(frozen=True)
class Run:
    """Of our agent, a sample. child_mb: the most that an upload child had in memory."""

    cpu_ms: float
    children_ms: float
    resident_mb: float
    child_mb: float
    written: float
    sent: float


def measure_ours(folder: Path, seconds: float, processes: int) -> Cost:
    archive = folder / "perfagent.pyz"
    build.build(archive)
    program = [sys.executable, str(archive), "run"]
    each_second = run_ours(program, folder / f"second-{processes}", seconds, processes, 300)
    program = [sys.executable, "-c", AS_EACH_MINUTE, str(archive)]
    each_minute = run_ours(program, folder / f"minute-{processes}", seconds, processes, SAMPLES_AN_UPLOAD)
    by_default = ByDefault(each_minute.cpu_ms, SAMPLES_AN_UPLOAD * each_minute.children_ms, each_minute.child_mb)
    name = f"perfagent, {processes} + {processes} processes" if processes else "perfagent, no processes"
    resident = max(each_second.resident_mb, each_minute.resident_mb)
    return Cost(name, each_second.cpu_ms, resident, each_minute.written, each_minute.sent, by_default)


def run_ours(program: list[str], folder: Path, seconds: float, processes: int, upload_seconds: int) -> Run:
    folder.mkdir()
    with portal(folder) as (sink, trust):
        settings = {
            "CONFIG": os.devnull, "KEY": "pfa_bench_key", "MACHINE_ID": "bench", "SPOOL_DIR": str(folder / "spool"),
            "SAMPLE_SECONDS": "1", "UPLOAD_SECONDS": str(upload_seconds), "PROCESSES": str(processes),
        }  # fmt: skip
        environment = {**os.environ, **trust, **{f"PERFAGENT_{name}": value for name, value in settings.items()}}
        with running(program, environment) as pid:
            sink.agent = pid
            before, sent = Use.of(pid), sink.sent
            cpu_ms = cpu_ms_a_second(pid, seconds)
            after, resident = Use.of(pid), resident_mb(pid)
            sink.agent = 0
    return Run(
        cpu_ms,
        1000 * (after.children - before.children) / seconds,
        resident,
        sink.child_mb,
        (after.written - before.written) / seconds,
        (sink.sent - sent) / seconds,
    )


def measure_exporter(seconds: float) -> Cost:
    """Scraped once a second; it writes nothing, its server does."""
    address = f"127.0.0.1:{EXPORTER_PORT}"
    scrapes: list[int] = []

    def scrape(stop: threading.Event) -> None:
        while not stop.wait(1 - time.monotonic() % 1):
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                scrapes.append(len(answer.read()))

    with running(["prometheus-node-exporter", f"--web.listen-address={address}"]) as pid:
        stop = threading.Event()
        scraper = threading.Thread(target=scrape, args=(stop,))
        scraper.start()
        cpu_ms, resident = cpu_ms_a_second(pid, seconds), resident_mb(pid)
        stop.set()
        scraper.join()
    return Cost("prometheus-node-exporter", cpu_ms, resident, sent=sum(scrapes) / seconds)


def measure_collectd(folder: Path, seconds: float, with_processes: bool) -> Cost:
    """Into CSV files; what it would send is not counted."""
    settings = folder / "collectd.conf"
    settings.write_text(COLLECTD.format(folder=folder, processes="LoadPlugin processes" if with_processes else ""))
    with running(["collectd", "-f", "-C", str(settings)]) as pid:
        before = Use.of(pid)
        cpu_ms = cpu_ms_a_second(pid, seconds)
        after, resident = Use.of(pid), resident_mb(pid)
    written = (after.written - before.written) / seconds
    name = "collectd, with processes" if with_processes else "collectd"
    return Cost(name, cpu_ms, resident, written)


def measure_growth(folder: Path, samples: int) -> tuple[float, float]:
    """Resident MB after a tenth of so many samples, and after all, taken without a pause in a process of its own."""
    command = [sys.executable, "-m", "bench.agent", "--grow", str(samples), str(folder / "growth")]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], check=True, capture_output=True, text=True)
    first, last = map(float, done.stdout.split())
    return first, last


def grow(samples: int, folder: str) -> None:
    scanner, spool = reading.Scanner(reading.Roots()), Spool(folder)
    spool.open()
    old = scanner.take()
    for number in range(1, samples + 1):
        new = scanner.take()
        spool.append(sample.lines(sample.build(old, new, 1), "bench"))
        spool.sync_if_due()
        old = new
        if number % 5 == 0:
            spool.seal()
            for sealed in spool.batches():
                spool.acknowledge(sealed)
        if number in (samples // 10, samples):
            print(resident_mb(os.getpid()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1, help="for each watcher")
    parser.add_argument("--growth", type=int, default=10_000, help="samples, ten at least")
    parser.add_argument("--grow", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.grow:
        grow(int(options.grow[0]), options.grow[1])
    else:
        with tempfile.TemporaryDirectory() as name:
            report(Path(name), 60 * options.minutes, options.growth)


def report(folder: Path, seconds: float, growth: int) -> None:
    print(
        f"{seconds:.0f} s of one sample a second each. A day is {SAMPLES_A_DAY} samples in {UPLOADS_A_DAY} uploads.\n"
    )
    print(HEAD, flush=True)
    costs = []
    for processes in (0, 5):
        costs.append(measure_ours(folder, seconds, processes))
        print(costs[-1].line(), flush=True)
    if shutil.which("prometheus-node-exporter"):
        print(measure_exporter(seconds).line(), flush=True)
    if shutil.which("collectd"):
        for with_processes in (False, True):
            print(measure_collectd(folder, seconds, with_processes).line(), flush=True)
    first, last = measure_growth(folder, growth)
    print(f"\ngrowth over {growth} samples: {first:.2f} MB after a tenth of them, {last:.2f} MB after all")
    verdicts = {
        "1.0 ms without processes": costs[0].cpu_ms <= 1.0,
        "4 ms with them": costs[1].cpu_ms <= 4.0,
        "20 MB resident": max(cost.resident_mb for cost in costs) <= 20,
        "no growth": last - first < 0.5,
    }
    print("goals: " + "; ".join(f"{goal}: {'met' if met else 'missed'}" for goal, met in verdicts.items()))


if __name__ == "__main__":
    main()
