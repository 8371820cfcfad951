"""This host, measured by the agent and by psutil in the same window while it works."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent import reading, sample

psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.live

SECONDS = 2.0
SPIN = "import time\nend = time.monotonic() + 60\nballast = bytearray(64 << 20)\nwhile time.monotonic() < end: pass"
MIB = 1_048_576


def work(stop: threading.Event, folder: Path) -> None:
    """Half a core, some disk writes, some loopback traffic."""
    left, right = socket.socketpair()
    with left, right, (folder / "load").open("wb", buffering=0) as file:
        while not stop.is_set():
            file.write(os.urandom(1 << 20))
            os.fsync(file.fileno())
            file.seek(0)
            left.send(b"x" * 1000)
            right.recv(1000)
            time.sleep(0.02)


class Window:
    """Both tools' differences over the same seconds."""

    def __init__(self, spinner: int) -> None:
        self.spinner = psutil.Process(spinner)
        scanner = reading.Scanner(reading.Roots())
        old, before = scanner.take(), self.look()
        time.sleep(SECONDS)
        new, after = scanner.take(), self.look()
        self.seconds = new.instant.monotonic - old.instant.monotonic
        self.rows = sample.build(old, new, SECONDS).rows
        self.system = self.rows["system"][0]
        self.before, self.after = before, after

    def look(self) -> dict[str, Any]:
        return {
            "cpu": psutil.cpu_times(),
            "disks": psutil.disk_io_counters(perdisk=True),
            "net": psutil.net_io_counters(pernic=True),
            "memory": psutil.virtual_memory(),
            "switches": psutil.cpu_stats().ctx_switches,
            "spinner": self.spinner.cpu_times(),
        }

    def cpu_percent(self, *names: str) -> float:
        old, new = self.before["cpu"], self.after["cpu"]
        fields = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
        total = sum(getattr(new, name) - getattr(old, name) for name in fields)
        return float(100 * sum(getattr(new, name) - getattr(old, name) for name in names) / total)

    def rate(self, what: str, device: str, field: str) -> float:
        old, new = self.before[what][device], self.after[what][device]
        return float((getattr(new, field) - getattr(old, field)) / self.seconds)


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    stop = threading.Event()
    worker = threading.Thread(target=work, args=(stop, tmp_path_factory.mktemp("load")))
    worker.start()
    with subprocess.Popen([sys.executable, "-c", SPIN]) as spinner:
        try:
            time.sleep(0.3)
            yield Window(spinner.pid)
        finally:
            spinner.kill()
            stop.set()
            worker.join()


def near(value: float, absolute: float, relative: float = 0.1) -> Any:
    return pytest.approx(value, rel=relative, abs=absolute)


def test_cpu_agrees_with_psutil_within_3_points(window: Window) -> None:
    assert window.system["cpu_user"] == near(window.cpu_percent("user"), 3)
    assert window.system["cpu_system"] == near(window.cpu_percent("system"), 3)
    assert window.system["cpu_idle"] == near(window.cpu_percent("idle"), 3)
    assert window.system["cpu_irq"] == near(window.cpu_percent("irq", "softirq"), 3)
    assert len(window.system["cpu_cores"]) == psutil.cpu_count()


def test_memory_agrees_with_psutil_within_32_mb(window: Window) -> None:
    memory = window.after["memory"]
    assert window.system["mem_total_mb"] == memory.total / MIB
    assert window.system["mem_available_mb"] == near(memory.available / MIB, 32, 0.01)
    assert window.system["mem_used_mb"] == near((memory.total - memory.available) / MIB, 32, 0.01)
    assert window.system["mem_cached_mb"] == near(memory.cached / MIB, 32, 0.01)


def test_each_disk_agrees_with_psutil_within_a_tenth(window: Window) -> None:
    assert window.rows["disks"]
    for row in window.rows["disks"]:
        written = window.rate("disks", row["device"], "write_bytes") / MIB
        assert row["write_mb"] == near(written, 1.5)
        assert row["write_iops"] == near(window.rate("disks", row["device"], "write_count"), 10)
    assert sum(row["write_mb"] for row in window.rows["disks"]) > 0


def test_each_interface_agrees_with_psutil_within_a_tenth(window: Window) -> None:
    for row in window.rows["interfaces"]:
        name = row["interface"]
        assert row["rx_mb"] == near(window.rate("net", name, "bytes_recv") / MIB, 0.2)
        assert row["tx_packets"] == near(window.rate("net", name, "packets_sent"), 20)


def test_context_switches_agree_with_psutil_within_a_tenth(window: Window) -> None:
    switches = (window.after["switches"] - window.before["switches"]) / window.seconds
    assert window.system["context_switches"] == near(switches, 100)


def test_filesystems_agree_with_psutil(window: Window) -> None:
    for row in window.rows["filesystems"]:
        usage = psutil.disk_usage(row["mount"])
        assert row["total_mb"] == pytest.approx(usage.total / MIB)
        assert row["used_percent"] == near(usage.percent, 0.5, 0.01)


def test_a_process_that_spins_is_listed_as_psutil_sees_it(window: Window) -> None:
    """Among the five with most CPU on any host that has a core for it; 15 points are a tick or two and the skew."""
    (row,) = (row for row in window.rows["processes"] if row["pid"] == window.spinner.pid)
    used = (window.after["spinner"].user + window.after["spinner"].system) - (
        window.before["spinner"].user + window.before["spinner"].system
    )
    assert row["cpu"] == near(100 * used / window.seconds, 15)
    assert row["cpu"] > 5
    assert row["rss_mb"] == near(window.spinner.memory_info().rss / MIB, 4)
    assert row["rss_mb"] > 64
    assert row["name"] == window.spinner.name()[:15]
    assert row["user"] == window.spinner.username()


def test_the_processes_with_most_memory_are_those_of_psutil(window: Window) -> None:
    """One may grow or end meanwhile: four of psutil's five largest must be among the rows."""
    sizes = {process.pid: process.info["memory_info"].rss for process in psutil.process_iter(["memory_info"])}
    largest = sorted(sizes, key=lambda pid: -sizes[pid])[:5]
    listed = {row["pid"] for row in window.rows["processes"]}
    assert len(listed & set(largest)) >= 4
