"""Counters that wrap, reset and step back; gaps, reboots, suspends and clock steps."""

from __future__ import annotations

import re
from typing import Any

import pytest
from agent import sample
from agent.clocks import Instant
from agent.counters import differences, forward
from agent.measures import cpu, disk, memory, network, process
from agent.readers.diskstats import DiskCounters, DiskTicks
from agent.readers.interfaces import Interface
from agent.readers.meminfo import Meminfo
from agent.readers.netdev import NetCounters
from agent.readers.processes import Process
from agent.readers.stat import CpuTimes, Stat
from agent.reading import Reading

WRAP = 2**32


def test_a_counter_that_steps_back_counts_as_standing_still() -> None:
    assert forward(100, 90) == 0


def test_one_counter_that_passes_32_bits_has_wrapped() -> None:
    assert differences((WRAP - 10, 500), (20, 510)) == (30, 10)


@pytest.mark.parametrize(
    ("old", "new"),
    [((WRAP - 10, 500), (20, 3)), ((5000, 500), (20, 510)), ((WRAP + 10, 500), (20, 510))],
    ids=["two fall", "small one falls", "one beyond 32 bits falls"],
)
def test_counters_that_were_reset_give_no_rate(old: Any, new: Any) -> None:
    assert differences(old, new) is None


def test_iowait_and_idle_that_run_backwards_keep_the_sum_at_a_hundred() -> None:
    shares = cpu.shares(CpuTimes(0, 0, 0, 1000, 500), CpuTimes(30, 0, 10, 1060, 490))
    assert shares["cpu_iowait"] == 0
    assert sum(share or 0 for share in shares.values()) == pytest.approx(100)
    assert shares["cpu_user"] == pytest.approx(30)


def test_cpu_shares_are_empty_when_no_tick_passed() -> None:
    assert set(cpu.shares(CpuTimes(1, 1, 1, 1), CpuTimes(1, 1, 1, 1)).values()) == {None}


def test_a_core_that_has_just_come_empties_the_array_and_one_that_left_does_not() -> None:
    one, later = CpuTimes(0, 0, 0, 0), CpuTimes(50, 0, 0, 50)
    assert cpu.busy_per_core({0: one}, {0: later, 1: later}) is None
    assert cpu.busy_per_core({0: one, 1: one, 2: one}, {0: later, 2: later}) == [50, 50]


def test_iowait_of_a_core_is_not_busy_and_steal_is() -> None:
    assert cpu.busy_per_core({0: CpuTimes(0, 0, 0, 0)}, {0: CpuTimes(10, 0, 0, 40, 30, 0, 0, 20)}) == [30]


def test_an_interval_without_io_has_no_await() -> None:
    same = DiskCounters(5, 5, 5, 5, DiskTicks(5, 5, 5, 5))
    columns = disk.totals(disk.deltas({"sda": same}, {"sda": same}, ["sda"]).values(), 10)
    assert columns["disk_await_ms"] is None
    assert columns["disk_read_mb"] == 0


def test_disk_times_wrap_at_32_bits_all_at_once() -> None:
    old = DiskCounters(5, 5, 5, 5, DiskTicks(WRAP - 1, WRAP - 2, WRAP - 3, WRAP - 4))
    new = DiskCounters(6, 6, 6, 6, DiskTicks(1, 2, 3, 4))
    change = disk.delta(old, new)
    assert change is not None
    assert (change.reading_ms, change.writing_ms, change.io_ms, change.weighted_ms) == (2, 4, 6, 8)


def test_a_disk_that_was_replaced_gives_no_rate() -> None:
    old = DiskCounters(5000, 5000, 5000, 5000, DiskTicks(5, 5, 5, 5))
    assert disk.delta(old, DiskCounters(1, 1, 1, 1, DiskTicks(1, 1, 1, 1))) is None


def test_utilisation_is_capped_and_that_of_the_busiest_disk() -> None:
    busy = disk.DiskDelta(1, 1, 1, 1, 1, 1, 1010, 5)
    idle = disk.DiskDelta(0, 0, 0, 0, 0, 0, 0, 0)
    assert disk.totals([busy, idle], 1.0)["disk_io_util"] == 100


def test_memory_available_is_estimated_where_the_kernel_does_not_say() -> None:
    assert memory.available_kb(Meminfo(1000, free=100, buffers=50, cached=300, reclaimable=50, shmem=200)) == 300


def test_memory_available_never_exceeds_the_total() -> None:
    assert memory.gauges(Meminfo(1024, free=1, available=4096))["mem_used_mb"] == 0


def net(number: int) -> NetCounters:
    return NetCounters(*[number] * 8)


def test_an_interface_that_leaves_makes_no_spike() -> None:
    known = {"eth0": Interface("eth0", 2), "eth1": Interface("eth1", 3)}
    changes = network.deltas({"eth0": net(10), "eth1": net(9000)}, {"eth0": net(20)}, known, known)
    assert changes == {"eth0": (10,) * 8}


def test_an_interface_made_anew_under_the_same_name_has_no_rate() -> None:
    changes = network.deltas(
        {"eth0": net(10)}, {"eth0": net(20)}, {"eth0": Interface("eth0", 2)}, {"eth0": Interface("eth0", 9)}
    )
    assert changes == {}


def test_a_process_that_took_the_pid_of_another_counts_from_its_own_start() -> None:
    rows = process.rows({7: Process(7, "a", 1, 5000, 10)}, {7: Process(7, "b", 99, 50, 10)}, 10, lambda pid: 0)
    assert (rows[0]["name"], rows[0]["cpu"]) == ("b", pytest.approx(5, rel=1))


OLD = Reading(Instant(1000, 100, 100), "boot", stat=Stat(CpuTimes(0, 0, 0, 0), {}), meminfo=Meminfo(1024, 512, 512))


def later(wall: float = 60, monotonic: float = 60, boottime: float = 60, boot: str = "boot") -> Reading:
    instant = Instant(1000 + wall, 100 + monotonic, 100 + boottime)
    return OLD._replace(instant=instant, boot_id=boot, stat=Stat(CpuTimes(50, 0, 0, 50), {}))


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (later(boot="other"), "rebooted"),
        (later(wall=3660), "clock was set by \\+3600 s"),
        (later(wall=-3540), "clock was set by -3600 s"),
        (later(wall=660, boottime=660), "suspended"),
        (later(121, 121, 121), "no sample was taken for 121 s"),
        (later(0, 0, 0), "no time has passed"),
    ],
    ids=["reboot", "clock forward", "clock back", "suspend", "gap", "no time"],
)
def test_what_lies_between_two_readings_leaves_the_rates_empty_and_the_gauges_full(new: Reading, reason: str) -> None:
    built = sample.build(OLD, new, 60)
    assert built.gap is not None
    assert re.search(reason, built.gap.reason)
    assert built.rows["system"][0].get("cpu_user") is None
    assert built.rows["system"][0]["mem_used_mb"] == 0.5


def test_an_ordinary_interval_has_rates() -> None:
    assert sample.build(OLD, later(), 60).rows["system"][0]["cpu_user"] == 50


def test_the_first_sample_has_gauges_only() -> None:
    row = sample.build(None, OLD, 60).rows["system"][0]
    assert "cpu_user" not in row
    assert row["mem_total_mb"] == 1


def test_a_reader_that_failed_leaves_its_columns_empty_and_the_others_full() -> None:
    built = sample.build(OLD, later()._replace(meminfo=None, failures={"meminfo": "gone"}), 60)
    assert built.rows["system"][0]["cpu_user"] == 50
    assert "mem_total_mb" not in built.rows["system"][0]
