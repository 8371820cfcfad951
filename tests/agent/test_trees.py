"""Whole readings of machines of many kinds, two of each, 10 s apart; what must come out stands in expected.json.

The trees are constructed after the kernel's documentation, with figures that are easy to reckon; `captured/` is the
subset of a real machine that `capture.py` takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agent import reading, rows, sample
from agent.clocks import Instant
from agent.measures import disk, network
from core.batch import decode
from core.catalogue import DATASETS

TREES = sorted(path for path in (Path(__file__).parent / "trees").iterdir() if path.is_dir())
SECONDS = 10.0


def readings(tree: Path) -> tuple[reading.Reading, reading.Reading]:
    def at(seconds: float) -> Instant:
        return Instant(1_760_000_000 + seconds, 100 + seconds, 100 + seconds)

    roots = [reading.Roots(str(tree / name), str(tree / "sys")) for name in ("proc", "proc-later")]
    return reading.take(roots[0], lambda: at(0)), reading.take(roots[1], lambda: at(SECONDS))


@pytest.fixture(params=TREES, ids=lambda tree: tree.name)
def tree(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def expected(tree: Path) -> Any:
    return json.loads((tree / "expected.json").read_text())


@pytest.fixture
def system(tree: Path) -> Any:
    return sample.build(*readings(tree), SECONDS).rows["system"][0]


def test_disk_totals_count_whole_physical_disks_only(tree: Path, expected: Any) -> None:
    new = readings(tree)[1]
    assert new.disks is not None
    chosen = disk.layout(new.disks, new.block_devices)
    assert sorted(chosen.physical) == expected["physical_disks"]
    assert sorted(disk.listed(new.disks, chosen)) == expected["disk_rows"]


def test_disk_rates_are_the_sum_of_the_physical_disks(system: Any, expected: Any) -> None:
    disks = expected["disks_counted"]
    assert system["disk_read_mb"] == pytest.approx(disks * 20480 * 512 / 1_048_576 / SECONDS)
    assert system["disk_write_iops"] == pytest.approx(disks * 100 / SECONDS)
    assert system["disk_await_ms"] == pytest.approx(3.0)
    assert system["disk_io_util"] == pytest.approx(5.0)
    assert system["disk_queue_depth"] == pytest.approx(disks * 0.06)


def test_network_totals_count_each_packet_once(tree: Path, expected: Any, system: Any) -> None:
    new = readings(tree)[1]
    assert new.network is not None
    chosen = network.layout(new.network, new.interfaces)
    assert sorted(chosen.physical) == expected["physical_interfaces"]
    assert sorted(network.listed(new.network, chosen)) == expected["interface_rows"]
    assert system["net_rx_mb"] == pytest.approx(0.1 * len(expected["physical_interfaces"]))
    assert system["net_tx_packets"] == pytest.approx(20 * len(expected["physical_interfaces"]))
    assert system["net_rx_drops"] == pytest.approx(0.1 * len(expected["physical_interfaces"]))


def test_cpu_shares_add_up_to_a_hundred(system: Any) -> None:
    names = ("user", "nice", "system", "irq", "iowait", "steal", "idle")
    assert sum(system[f"cpu_{name}"] for name in names) == pytest.approx(100)
    assert system["cpu_user"] == pytest.approx(30)


def test_each_core_has_its_own_busy_share(system: Any) -> None:
    assert system["cpu_cores"][:2] == [0.0, 60.0]
    assert len(system["cpu_cores"]) in (2, 128)


def test_memory_is_total_less_available_within_bounds(system: Any, expected: Any) -> None:
    assert system["mem_used_mb"] == expected["mem_used_mb"]
    assert 0 <= system["mem_available_mb"] <= system["mem_total_mb"] == 4000
    assert system["swap_used_mb"] == 1000
    assert system["swap_in_mb"] == pytest.approx(0.1)


def test_pressure_is_a_share_of_the_interval_or_empty(system: Any, expected: Any) -> None:
    if expected["psi"]:
        assert system["psi_io_some"] == pytest.approx(1.0)
        assert system["psi_memory_full"] == pytest.approx(0.5)
    else:
        assert system.get("psi_io_some") is None


def test_what_is_written_reads_back_as_the_catalogue_says(tree: Path) -> None:
    headers = rows.headers()
    for name, lines in sample.lines(sample.build(*readings(tree), SECONDS), "m").items():
        decoded = decode(DATASETS[name], "\n".join([headers[name], *lines]).encode())
        assert len(decoded.table) == len(lines)
        assert not decoded.warnings
