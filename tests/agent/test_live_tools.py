"""This host, measured by the agent, vmstat, iostat, sar, free and df in the same window while it works.

The tools start a little apart and round to two digits, so a rate may differ by a tenth and a little.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent import reading, sample

from tests.agent.test_live import SPIN, near, work

pytestmark = pytest.mark.live

SECONDS = 4
MIB = 1_048_576
PLAIN = {**os.environ, "LC_ALL": "C", "S_TIME_FORMAT": "ISO"}


def needs(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")


def start(*command: str) -> subprocess.Popen[str] | None:
    """None where the tool is absent."""
    if shutil.which(command[0]) is None:
        return None
    return subprocess.Popen(command, env=PLAIN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str] | None) -> str:
    return process.communicate(timeout=30)[0] if process else ""


def waited() -> dict[str, float]:
    """Seconds since boot in which some task waited, by resource; empty where the kernel does not tell."""
    files = Path("/proc/pressure").glob("[cmi]*")
    return {path.name: int(path.read_text().partition("total=")[2].split()[0]) / 1e6 for path in files}


def tools(history: str, seconds: int) -> dict[str, subprocess.Popen[str] | None]:
    """Each for so long; sar writes its history there."""
    return {
        "vmstat": start("vmstat", "-n", "-S", "k", str(seconds), "2"),
        "iostat": start("iostat", "-x", "-k", "-y", "-o", "JSON", str(seconds), "1"),
        "sar": start("sar", "-o", history, str(seconds), "1"),
    }


class Window:
    """One window of all tools; rows are the agent's."""

    def __init__(self, folder: Path) -> None:
        scanner, history = reading.Scanner(reading.Roots()), str(folder / "sa")
        scanner.take()
        for process in tools(str(folder / "first"), 1).values():
            said(process)  # they come from the disk now, and not within the window of some and before that of others
        started = tools(history, SECONDS)
        before, began = waited(), time.monotonic()
        old = scanner.take()
        time.sleep(SECONDS)
        new = scanner.take()
        self.seconds = time.monotonic() - began
        self.waited = {name: total - before[name] for name, total in waited().items()}
        self.free = said(start("free", "-k"))
        self.df = said(start("df", "-B1", "--output=target,size,used,avail"))
        self.rows = sample.build(old, new, SECONDS).rows
        self.system = self.rows["system"][0]
        answers = {name: said(process) for name, process in started.items()}
        self.vmstat, self.iostat = answers["vmstat"], answers["iostat"]
        self.sar = said(start("sadf", "-j", history, "--", "-A")) if answers["sar"] else ""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    folder, stop = tmp_path_factory.mktemp("tools"), threading.Event()
    worker = threading.Thread(target=work, args=(stop, folder))
    worker.start()
    with subprocess.Popen([sys.executable, "-c", SPIN]) as spinner:
        try:
            os.sync()  # what earlier tests wrote would be flushed at the edge of some tool's window
            time.sleep(0.3)
            yield Window(folder)
        finally:
            spinner.kill()
            stop.set()
            worker.join()


def of_vmstat(window: Window) -> dict[str, float]:
    """The second line of numbers: the means of the window."""
    needs("vmstat")
    _, names, _, numbers = window.vmstat.splitlines()[:4]
    return dict(zip(names.split(), map(float, numbers.split())))


def of_iostat(window: Window) -> Any:
    needs("iostat")
    return json.loads(window.iostat)["sysstat"]["hosts"][0]["statistics"][0]


def of_sar(window: Window) -> Any:
    needs("sar")
    needs("sadf")
    return json.loads(window.sar)["sysstat"]["hosts"][0]["statistics"][-1]


def test_cpu_agrees_with_vmstat_within_3_points(window: Window) -> None:
    """vmstat counts interrupts as system and nice as user, and rounds to whole points."""
    seen, own = of_vmstat(window), window.system
    assert own["cpu_user"] + own["cpu_nice"] == near(seen["us"], 3)
    assert own["cpu_system"] + own["cpu_irq"] == near(seen["sy"], 3)
    assert own["cpu_iowait"] == near(seen["wa"], 3)
    assert own["cpu_idle"] == near(seen["id"], 3)
    assert own["cpu_steal"] == near(seen["st"], 3)


def test_switches_and_swapping_agree_with_vmstat(window: Window) -> None:
    seen = of_vmstat(window)
    assert window.system["context_switches"] == near(seen["cs"], 150, 0.15)
    assert window.system["swap_in_mb"] == near(seen["si"] * 1000 / MIB, 0.1)
    assert window.system["swap_out_mb"] == near(seen["so"] * 1000 / MIB, 0.1)


def test_each_disk_agrees_with_iostat(window: Window) -> None:
    disks = {disk["disk_device"]: disk for disk in of_iostat(window)["disk"]}
    assert window.rows["disks"]
    for row in window.rows["disks"]:
        seen = disks[row["device"]]
        assert row["write_mb"] == near(seen["wkB/s"] / 1024, 1.5, 0.15)
        assert row["read_mb"] == near(seen["rkB/s"] / 1024, 0.5, 0.15)
        assert row["write_iops"] == near(seen["w/s"], 10, 0.15)
        assert row["queue_depth"] == near(seen["aqu-sz"], 0.1, 0.25)
        assert row["util"] == near(seen["util"], 6)
        if row["write_await_ms"] is not None:
            assert row["write_await_ms"] == near(seen["w_await"], 0.5, 0.25)


def test_cpu_agrees_with_sar_within_3_points(window: Window) -> None:
    """`-A` gives all modes, each guest time taken out of user once more, which this host has none of."""
    (seen,) = (line for line in of_sar(window)["cpu-load"] if line["cpu"] == "all")
    own = window.system
    assert own["cpu_user"] == near(seen["usr"], 3)
    assert own["cpu_nice"] == near(seen["nice"], 3)
    assert own["cpu_system"] == near(seen["sys"], 3)
    assert own["cpu_irq"] == near(seen["irq"] + seen["soft"], 3)
    assert own["cpu_iowait"] == near(seen["iowait"], 3)
    assert own["cpu_steal"] == near(seen["steal"], 3)


def test_each_core_agrees_with_sar_within_5_points(window: Window) -> None:
    """Busy: neither idle nor waiting for disk."""
    cores = {line["cpu"]: 100 - line["idle"] - line["iowait"] for line in of_sar(window)["cpu-load"]}
    for number, busy in enumerate(window.system["cpu_cores"]):
        assert busy == near(cores[str(number)], 5)


def test_memory_and_load_agree_with_sar(window: Window) -> None:
    seen, own = of_sar(window), window.system
    assert own["mem_available_mb"] == near(seen["memory"]["avail"] / 1024, 32, 0.02)
    assert own["mem_free_mb"] == near(seen["memory"]["memfree"] / 1024, 32, 0.02)
    assert own["mem_buffers_mb"] == near(seen["memory"]["buffers"] / 1024, 8)
    assert own["load_1min"] == near(seen["queue"]["ldavg-1"], 0.3)
    assert own["load_15min"] == near(seen["queue"]["ldavg-15"], 0.1)


def test_disks_and_interfaces_agree_with_sar(window: Window) -> None:
    seen = of_sar(window)
    disks = {disk["disk-device"]: disk for disk in seen["disk"]}
    for row in window.rows["disks"]:
        disk = disks[row["device"]]
        assert row["write_mb"] == near(disk["wkB"] / 1024, 1.5, 0.15)
        if not disk.get("dkB"):  # sar counts discards among its operations, and an ext4 with `discard` has thousands
            assert row["read_iops"] + row["write_iops"] == near(disk["tps"], 12, 0.15)
        assert row["util"] == near(disk["util-percent"], 6)
    cards = {card["iface"]: card for card in seen["network"]["net-dev"]}
    for row in window.rows["interfaces"]:
        card = cards[row["interface"]]
        assert row["rx_packets"] == near(card["rxpck"], 5)
        assert row["tx_packets"] == near(card["txpck"], 5)
        assert row["rx_mb"] == near(card["rxkB"] / 1024, 0.1)
        assert row["tx_mb"] == near(card["txkB"] / 1024, 0.1)


def test_pressure_agrees_with_the_kernels_totals_within_5_points(window: Window) -> None:
    """Its means over ten seconds lag behind a load that has just begun, so they are no measure."""
    if not window.waited:
        pytest.skip("this kernel has no pressure stall information")
    for resource, seconds in window.waited.items():
        assert window.system[f"psi_{resource}_some"] == near(100 * seconds / window.seconds, 5)


def test_memory_agrees_with_free_within_32_mb(window: Window) -> None:
    needs("free")
    memory, swap = (list(map(int, line.split()[1:])) for line in window.free.splitlines()[1:3])
    own = window.system
    assert own["mem_total_mb"] == memory[0] / 1024
    assert own["mem_used_mb"] == near((memory[0] - memory[5]) / 1024, 32)
    assert own["mem_free_mb"] == near(memory[2] / 1024, 32)
    assert own["mem_available_mb"] == near(memory[5] / 1024, 32)
    assert own["mem_cached_mb"] + own["mem_buffers_mb"] == near(memory[4] / 1024, 32)
    assert (own["swap_total_mb"], own["swap_used_mb"]) == (swap[0] / 1024, near(swap[1] / 1024, 8))


def test_each_filesystem_agrees_with_df(window: Window) -> None:
    needs("df")
    seen = {line.split()[0]: list(map(int, line.split()[1:])) for line in window.df.splitlines()[1:]}
    assert window.rows["filesystems"]
    for row in window.rows["filesystems"]:
        size, used, available = seen[row["mount"]]
        assert row["total_mb"] == pytest.approx(size / MIB)
        assert row["used_mb"] == near(used / MIB, 16, 0.01)
        assert row["available_mb"] == near(available / MIB, 16, 0.01)
        assert row["used_percent"] == near(100 * used / (used + available), 0.5, 0.01)
