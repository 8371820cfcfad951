"""Real machines, captured by `capture.py`: the agent against the plainest arithmetic on the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agent import inventory, reading, sample
from agent.clocks import Instant

from tests.agent.capture import SECONDS

MACHINES = sorted((Path(__file__).parent / "captured").iterdir())
MIB = 1_048_576


@pytest.fixture(params=MACHINES, ids=lambda path: path.name)
def machine(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def rows(machine: Path) -> Any:
    def take(name: str, seconds: float) -> reading.Reading:
        instant = Instant(1_760_000_000 + seconds, 100 + seconds, 100 + seconds)
        return reading.take(reading.Roots(str(machine / name), str(machine / "sys")), lambda: instant)

    return sample.build(take("proc", 0.0), take("proc-later", SECONDS), SECONDS).rows


def fields(path: Path, start: str) -> list[int]:
    """The numbers of the line that begins with that word or holds it as a device's name."""
    lines = (line.replace(":", " ").split() for line in path.read_text().splitlines())
    (found,) = (line for line in lines if start in line[:3])
    return [int(word) for word in found if word.isdigit()]


def change(machine: Path, file: str, start: str) -> list[int]:
    old, new = (fields(machine / proc / file, start) for proc in ("proc", "proc-later"))
    return [after - before for before, after in zip(old, new)]


def test_cpu_is_what_the_ticks_say(machine: Path, rows: Any) -> None:
    ticks = change(machine, "stat", "cpu")[:8]
    assert rows["system"][0]["cpu_user"] == pytest.approx(100 * ticks[0] / sum(ticks))
    assert rows["system"][0]["cpu_idle"] == pytest.approx(100 * ticks[3] / sum(ticks))


def test_each_disk_is_what_its_line_says(machine: Path, rows: Any) -> None:
    assert rows["disks"]
    for row in rows["disks"]:
        numbers = change(machine, "diskstats", row["device"])[2:]
        assert row["write_mb"] == pytest.approx(numbers[6] * 512 / MIB / SECONDS)
        assert row["util"] == pytest.approx(min(numbers[9] / 10 / SECONDS, 100))


def test_totals_are_those_of_whole_disks(machine: Path, rows: Any) -> None:
    """On the machines captured so far, no listed disk stands on another."""
    assert rows["system"][0]["disk_write_mb"] == pytest.approx(sum(row["write_mb"] for row in rows["disks"]))


def test_each_interface_is_what_its_line_says(machine: Path, rows: Any) -> None:
    for row in rows["interfaces"]:
        numbers = change(machine, "net/dev", row["interface"])
        assert row["rx_mb"] == pytest.approx(numbers[0] / MIB / SECONDS)
        assert row["tx_packets"] == pytest.approx(numbers[9] / SECONDS)


def test_memory_is_total_less_available(machine: Path, rows: Any) -> None:
    total, available = (fields(machine / "proc-later/meminfo", name)[0] for name in ("MemTotal", "MemAvailable"))
    assert rows["system"][0]["mem_used_mb"] == pytest.approx((total - available) / 1024)


def test_the_inventory_is_read_without_a_failure(machine: Path) -> None:
    found = inventory.read(inventory.Places(str(machine / "proc"), str(machine / "sys"), str(machine / "root")))
    assert set(found.failures) <= {"hostname"}
    assert found.os_name.startswith("Debian GNU/Linux 12")
    assert (found.cpu_threads, found.cpu_cores, found.virtualization) == (2, 2, "vm")
    assert found.boot_time == fields(machine / "proc/stat", "btime")[0]
    assert [(node.name, node.kind) for node in found.block_devices] == [("vda", "disk")]
    assert ("eth0", "physical") in [(node.name, node.kind) for node in found.interfaces]
