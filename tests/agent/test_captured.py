"""Real machines, captured by `capture.py`: the agent against the plainest arithmetic on the same files.

Whole disks and interfaces of each, read off by eye, stand in its expected.json. `stacked-devices` has a mirror with two
dm devices on it, two paths to one disk, NVMe, a bond with a VLAN and a bridge with a pair of veth, all busy.
"""

from __future__ import annotations

import json
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
def expected(machine: Path) -> Any:
    return json.loads((machine / "expected.json").read_text())


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


def test_the_rows_are_those_of_this_machine(rows: Any, expected: Any) -> None:
    assert sorted(row["device"] for row in rows["disks"]) == sorted(expected["disk_rows"])
    assert sorted(row["interface"] for row in rows["interfaces"]) == sorted(expected["interface_rows"])
    assert len(rows["system"][0]["cpu_cores"]) == expected["threads"]
    assert (rows["system"][0].get("psi_cpu_some") is not None) == expected["psi"]


def test_totals_are_those_of_whole_disks(rows: Any, expected: Any) -> None:
    """What a mirror, a volume and a path each report of the same write is counted at the disks alone."""
    physical = [row for row in rows["disks"] if row["device"] in expected["physical_disks"]]
    system = rows["system"][0]
    for name in ("read_mb", "write_mb", "read_iops", "write_iops"):
        assert system[f"disk_{name}"] == pytest.approx(sum(row[name] for row in physical))
    assert system["disk_io_util"] == pytest.approx(max(row["util"] for row in physical))


def test_totals_are_those_of_hardware_interfaces(rows: Any, expected: Any) -> None:
    """What a bond, a VLAN and a bridge report of the same packet is counted at the cards alone."""
    physical = [row for row in rows["interfaces"] if row["interface"] in expected["physical_interfaces"]]
    for name in ("rx_mb", "tx_mb", "rx_packets", "tx_packets"):
        assert rows["system"][0][f"net_{name}"] == pytest.approx(sum(row[name] for row in physical))


def test_each_interface_is_what_its_line_says(machine: Path, rows: Any) -> None:
    for row in rows["interfaces"]:
        numbers = change(machine, "net/dev", row["interface"])
        assert row["rx_mb"] == pytest.approx(numbers[0] / MIB / SECONDS)
        assert row["tx_packets"] == pytest.approx(numbers[9] / SECONDS)


def test_memory_is_total_less_available(machine: Path, rows: Any) -> None:
    total, available = (fields(machine / "proc-later/meminfo", name)[0] for name in ("MemTotal", "MemAvailable"))
    assert rows["system"][0]["mem_used_mb"] == pytest.approx((total - available) / 1024)


def test_the_inventory_is_read_without_a_failure(machine: Path, expected: Any) -> None:
    found = inventory.read(inventory.Places(str(machine / "proc"), str(machine / "sys"), str(machine / "root")))
    assert set(found.failures) <= {"hostname"}
    assert found.os_name.startswith("Debian GNU/Linux 12")
    assert (found.cpu_threads, found.cpu_cores) == (expected["threads"], expected["threads"])
    assert found.virtualization == expected["virtualization"]
    assert found.boot_time == fields(machine / "proc/stat", "btime")[0]
    assert {node.name: [node.kind, *node.parents] for node in found.block_devices} == expected["block"]
    kinds = {node.name: [node.kind, *node.parents] for node in found.interfaces}
    assert kinds.items() >= expected["net"].items()
