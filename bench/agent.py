"""What watching costs: this agent, and prometheus-node-exporter and collectd where they are installed, in one run.

Usage: python -m bench.agent [--minutes 1] [--growth 10000]. Each samples once a second, one watcher after the other.
Ours uploads every fifth sample over TLS to a portal in this process, as it does with its defaults (60 s and 300 s).
Goals: CPU 1.0 ms a sample without processes and 4 ms with them; 20 MB resident; no growth over 10,000 samples.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import ssl
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

SAMPLES_A_DAY, UPLOADS_A_DAY = 1440, 288
WARM_UP_SECONDS = 3.0
EXPORTER_PORT = 19_100
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


def resident_mb(pid: int, field: str = "VmRSS") -> float:
    """VmRSS: now; VmHWM: the most there ever was."""
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/status").read_text().partition(f"{field}:")[2].split()[0]) / 1024
    return 0.0


@dataclass(frozen=True)
class Cost:
    """Of one watcher. cpu_ms, children_ms: a sample. written, sent: bytes a sample, None where nothing was counted."""

    name: str
    cpu_ms: float
    children_ms: float
    resident_mb: float
    child_mb: float
    written: float | None
    sent: float | None

    def line(self) -> str:
        child = f"{self.children_ms:6.2f} ms {self.child_mb:5.1f} MB" if self.child_mb else " " * 18
        return (
            f"{self.name:32} {self.cpu_ms:6.2f} ms {self.resident_mb:6.1f} MB   {child}"
            f"   {_a_day(self.written):>9} {_a_day(self.sent):>9}"
        )


def _a_day(bytes_a_sample: float | None) -> str:
    return "" if bytes_a_sample is None else f"{bytes_a_sample * SAMPLES_A_DAY / 1e6:.2f} MB"


HEAD = (
    f"{'':32} {'CPU':>9} {'resident':>9}   {'upload child':>18}   {'written':>9} {'sent':>9}\n"
    f"{'':32} {'a sample':>9} {'':>9}   {'a sample':>9} {'at most':>8}   {'a day':>9} {'a day':>9}"
)


class Sink(Portal):
    """A portal that keeps nothing, so that this process does not grow; it counts the bytes it was sent."""

    sent = 0

    def receive(self, headers: dict[str, str], body: bytes) -> Reply | None:
        reply = super().receive(headers, body)
        for kept in (self.ledger, self.parts, self.rows, self.requests, self.notes):
            kept.clear()
        self.sent += len(body) + sum(len(name) + len(value) + 4 for name, value in headers.items())
        return reply


@contextlib.contextmanager
def portal(folder: Path) -> Iterator[tuple[Sink, str, str]]:
    """A sink, its URL, and the file of its certificate, empty without openssl: then it is plain HTTP."""
    sink, serving = Sink(), Serving(Sink())
    serving.serve(sink)
    certificate = ""
    if shutil.which("openssl"):
        key, certificate = str(folder / "key.pem"), str(folder / "cert.pem")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        names = ["-days", "2", "-subj", "/CN=bench.localhost", "-addext", "subjectAltName=DNS:bench.localhost"]
        subprocess.run([*command, "-keyout", key, "-out", certificate, *names], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        serving.server.socket = context.wrap_socket(serving.server.socket, server_side=True)
    scheme = "https" if certificate else "http"
    with serving as url:
        yield sink, url.replace("http://test.", f"{scheme}://bench."), certificate


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str] | None = None) -> Iterator[int]:
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as process:
        try:
            time.sleep(WARM_UP_SECONDS)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def watch_children(pid: int, stop: threading.Event, peak: list[float]) -> None:
    while not stop.wait(0.02):
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                peak[0] = max(peak[0], resident_mb(int(child), "VmHWM"))


def measure_ours(folder: Path, seconds: float, processes: int) -> Cost:
    archive, spool = folder / "perfagent.pyz", folder / f"spool-{processes}"
    build.build(archive)
    with portal(folder) as (sink, url, certificate):
        settings = {
            "CONFIG": os.devnull, "URL": url, "KEY": "pfa_bench_key", "CA_FILE": certificate, "MACHINE_ID": "bench",
            "SPOOL_DIR": str(spool), "SAMPLE_SECONDS": "1", "UPLOAD_SECONDS": "5", "PROCESSES": str(processes),
        }  # fmt: skip
        environment = {**os.environ, **{f"PERFAGENT_{name}": value for name, value in settings.items()}}
        with running([sys.executable, str(archive), "run"], environment) as pid:
            stop, peak = threading.Event(), [0.0]
            watcher = threading.Thread(target=watch_children, args=(pid, stop, peak))
            watcher.start()
            before, sent = Use.of(pid), sink.sent
            time.sleep(seconds)
            after, resident = Use.of(pid), resident_mb(pid)
            stop.set()
            watcher.join()
    name = f"perfagent, {processes} + {processes} processes" if processes else "perfagent, no processes"
    return Cost(
        name,
        1000 * (after.cpu - before.cpu) / seconds,
        1000 * (after.children - before.children) / seconds,
        resident,
        peak[0],
        (after.written - before.written) / seconds,
        (sink.sent - sent) / seconds,
    )


def measure_exporter(seconds: float) -> Cost:
    """Scraped once a second; it writes nothing, its server does."""
    address = f"127.0.0.1:{EXPORTER_PORT}"
    with running(["prometheus-node-exporter", f"--web.listen-address={address}"]) as pid:
        sent, before, end = 0, Use.of(pid), time.monotonic() + seconds
        while time.monotonic() < end:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                sent += len(answer.read())
            time.sleep(1 - time.monotonic() % 1)
        after, resident = Use.of(pid), resident_mb(pid)
    return Cost(
        "prometheus-node-exporter", 1000 * (after.cpu - before.cpu) / seconds, 0.0, resident, 0.0, None, sent / seconds
    )


def measure_collectd(folder: Path, seconds: float, with_processes: bool) -> Cost:
    """Into CSV files; what it would send is not counted."""
    settings = folder / "collectd.conf"
    settings.write_text(COLLECTD.format(folder=folder, processes="LoadPlugin processes" if with_processes else ""))
    with running(["collectd", "-f", "-C", str(settings)]) as pid:
        before = Use.of(pid)
        time.sleep(seconds)
        after, resident = Use.of(pid), resident_mb(pid)
    written = (after.written - before.written) / seconds
    name = "collectd, with processes" if with_processes else "collectd"
    return Cost(name, 1000 * (after.cpu - before.cpu) / seconds, 0.0, resident, 0.0, written, None)


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
        f"{seconds:.0f} s of one sample a second each; a day has {SAMPLES_A_DAY} samples in {UPLOADS_A_DAY} uploads.\n"
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
