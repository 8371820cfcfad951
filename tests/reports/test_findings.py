"""Known ailments are found by name; a healthy machine is clean; nothing is found without evidence."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from reports import filesystems, table
from reports.measures import MEASURES, measured
from reports.patterns import find_anomalies, find_changes, hourly_means
from reports.rules import AREAS, RULES, judge
from reports.table import Machine, Samples
from reports.wording import Clock
from tests.reports import machines
from tests.reports.machines import Column, Columns, ReadOne, WriteExport


def saturate(columns: Columns) -> None:
    columns["psi_cpu_some"][machines.hours(columns, 9, 17)] = 55.0


def queue(columns: Columns) -> None:
    busy = machines.hours(columns, 9, 17)
    columns["psi_cpu_some"][:] = np.nan
    columns["procs_running"][busy] = 14
    columns["cpu_user"][busy] = 92
    columns["cpu_system"][busy] = 5


def keep_busy(columns: Columns) -> None:
    columns["cpu_user"][:] = 90


def steal(columns: Columns) -> None:
    columns["cpu_steal"][:] = columns["cpu_user"] * 0.5


def disturb(columns: Columns) -> None:
    """A neighbour that comes at any hour of the day."""
    count = columns["timestamp"].size
    columns["cpu_steal"][np.random.default_rng(5).random(count // 12 + 1).repeat(12)[:count] < 0.2] = 30


def run_nightly(columns: Columns) -> None:
    columns["cpu_user"][machines.hours(columns, 2, 4)] = 75


def use_one_core(columns: Columns) -> None:
    columns["cpu_cores"][:, 0] = 99
    columns["cpu_cores"][:, 1:] = 4


def idle(columns: Columns) -> None:
    for name in ("cpu_user", "cpu_system"):
        columns[name] *= 0.05


def spare_memory(columns: Columns) -> None:
    for name in ("mem_used_mb", "mem_cached_mb"):
        columns[name] *= 0.25


def press_memory(columns: Columns) -> None:
    columns["psi_memory_some"][machines.hours(columns, 3, 5)] = 35


def swap(columns: Columns) -> None:
    columns["swap_out_mb"][machines.hours(columns, 3, 6)] = 4


def fill_memory(columns: Columns) -> None:
    columns["mem_available_mb"][machines.hours(columns, 3, 6)] = 700


def leak(columns: Columns) -> None:
    columns["mem_used_mb"] += np.linspace(0, 4000, columns["timestamp"].size)


def leak_and_restart(columns: Columns) -> None:
    days = (columns["timestamp"] - machines.START) / 86_400
    columns["mem_used_mb"] += days % 2.4 * 2_500


def stall(columns: Columns) -> None:
    columns["psi_io_full"][machines.hours(columns, 2, 3)] = 40


def slow_disk(columns: Columns) -> None:
    night = machines.hours(columns, 1, 4)
    columns["disk_await_ms"][night] = 90
    columns["disk_queue_depth"][night] = 12


def damage(columns: Columns) -> None:
    columns["net_rx_errors"][machines.hours(columns, 10, 12)] = 0.4


def drop(columns: Columns) -> None:
    columns["net_rx_drops"][machines.hours(columns, 10, 12)] = 25


AILMENTS = {
    "cpu-saturation": saturate,
    "cpu-run-queue": queue,
    "cpu-busy": keep_busy,
    "cpu-steal": steal,
    "cpu-noisy-neighbour": disturb,
    "cpu-nightly-batch": run_nightly,
    "cpu-one-core": use_one_core,
    "cpu-oversized": idle,
    "memory-oversized": spare_memory,
    "memory-pressure": press_memory,
    "memory-swapping": swap,
    "memory-low": fill_memory,
    "memory-growth": leak,
    "memory-leak": leak_and_restart,
    "disk-stall": stall,
    "disk-slow": slow_disk,
    "net-errors": damage,
    "net-drops": drop,
}
DAYS = np.arange(7 * 288) / 288
FILESYSTEMS = {
    "disk-full": np.full(DAYS.size, 97_000.0),
    "disk-filling": 60_000 + 2_000 * DAYS + np.random.default_rng(1).normal(0, 100, DAYS.size),
}
HARMLESS = {
    "steady": 60_000 + np.random.default_rng(2).normal(0, 300, DAYS.size),
    "nightly sawtooth": 60_000 + 20_000 * (DAYS % 1),
    "sawtooth of three days": 40_000 + 15_000 * (DAYS % 3.2),
    "slow": 30_000 + 200 * DAYS,
    "emptied at the end": np.where(DAYS < 6, 40_000 + 6_000 * DAYS, 42_000),
}
TITLES = {rule.title: rule.name for rule in RULES}


def found(machine: Machine, clock: Clock) -> list[str]:
    return [TITLES[finding.title] for finding in judge(machine, clock).findings]


def test_every_rule_has_an_ailment_that_it_finds() -> None:
    assert {*AILMENTS, *FILESYSTEMS} == {rule.name for rule in RULES}


@pytest.mark.parametrize("name", AILMENTS)
def test_an_ailment_is_found_and_nothing_else(name: str, read_one: ReadOne, clock: Clock) -> None:
    columns = machines.healthy(interval=300)
    AILMENTS[name](columns)
    assert found(read_one(columns), clock) == [name]


@pytest.mark.parametrize("name", FILESYSTEMS)
def test_a_sick_filesystem_is_found_and_nothing_else(
    name: str, write: WriteExport, clock: Clock, tmp_path: Path
) -> None:
    assert found(with_filesystem(FILESYSTEMS[name], write, tmp_path), clock) == [name]


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_filesystem_has_no_finding(name: str, write: WriteExport, clock: Clock, tmp_path: Path) -> None:
    assert found(with_filesystem(HARMLESS[name], write, tmp_path), clock) == []


def with_filesystem(used_mb: Column, write: WriteExport, tmp_path: Path, days: int = 7) -> Machine:
    (tmp_path / "filesystems.csv").write_text(machines.filesystem(used_mb[: days * 288]))
    export = write({"web-01": machines.healthy(days=days, interval=900)})
    (machine,) = table.read([export, tmp_path / "filesystems.csv"]).machines
    return machine


def test_days_until_full_are_a_range_that_holds_the_truth(write: WriteExport, clock: Clock, tmp_path: Path) -> None:
    (growth,) = filesystems.fillings(with_filesystem(FILESYSTEMS["disk-filling"], write, tmp_path)).values()
    assert growth.days is not None
    low, high = growth.days
    assert low <= (100_000 - 74_000) / 2_000 <= high
    assert high - low < 3


def test_a_short_history_has_no_day_of_being_full(write: WriteExport, clock: Clock, tmp_path: Path) -> None:
    machine = with_filesystem(FILESYSTEMS["disk-filling"], write, tmp_path, days=4)
    (growth,) = filesystems.fillings(machine).values()
    assert growth.days is None
    assert growth.reason == "history under five days"
    assert "disk-filling" in {rule.name for rule in judge(machine, clock).unknown}


@pytest.mark.parametrize("seed", range(100))
def test_a_healthy_machine_is_clean(seed: int, clock: Clock) -> None:
    columns = machines.healthy(seed, days=(2, 7, 14, 30)[seed % 4], interval=900)
    machine = as_machine(columns)
    assert found(machine, clock) == []
    local = clock.local(machine.system.times)
    for name in ("cpu_busy", "mem_used_percent"):
        values = measured(machine.system, name)
        assert values is not None
        hourly = hourly_means(local, values)
        assert not find_anomalies(hourly, 10)
        assert not find_changes(hourly, 5)


def as_machine(columns: Columns) -> Machine:
    """The machine that an export of these columns would hold."""
    numbers = {name: values for name, values in columns.items() if values.ndim == 1 and name != "timestamp"}
    return Machine("web-01", Samples(columns["timestamp"] * 1000, numbers, columns["cpu_cores"]))


def test_a_full_disk_queue_without_waiting_is_no_finding(read_one: ReadOne, clock: Clock) -> None:
    columns = machines.healthy(interval=300)
    columns["disk_io_util"][:] = 100
    assert found(read_one(columns), clock) == []


def test_evidence_names_metric_window_threshold_and_samples(read_one: ReadOne, clock: Clock) -> None:
    columns = machines.healthy(interval=300)
    saturate(columns)
    (finding,) = judge(read_one(columns), clock).findings
    (evidence,) = finding.evidence
    for part in (
        "CPU pressure",
        "25 %",
        "672 of 2,016 samples",
        "33.3 %",
        "2026-01-05 01:00",
        "2026-01-12 00:55",
        "8 h",
    ):
        assert part in evidence


def test_a_nightly_batch_is_named_by_its_hours(read_one: ReadOne, clock: Clock) -> None:
    columns = machines.healthy(interval=300)
    stall(columns)
    (finding,) = judge(read_one(columns), clock).findings
    assert "100 % of these fell between 02:00 and 04:00" in finding.evidence[0]


def test_what_was_not_measured_is_neither_found_nor_fine(read_one: ReadOne, clock: Clock) -> None:
    everything = tuple(name for name in machines.healthy(days=0.1) if name not in ("timestamp", "cpu_user"))
    judged = judge(read_one(machines.healthy(interval=300), leave_out=everything), clock)
    assert judged.findings == ()
    assert judged.clear == ()
    assert {rule.name for rule in judged.unknown} == {rule.name for rule in RULES}


def test_a_handful_of_samples_is_not_judged(read_one: ReadOne, clock: Clock) -> None:
    columns = machines.gap(machines.healthy(), 5, 10_080)
    columns["psi_cpu_some"][:] = 90
    assert found(read_one(columns), clock) == []


def test_a_run_ends_in_the_evidence_as_time(read_one: ReadOne, clock: Clock) -> None:
    columns = machines.healthy(days=1)
    columns["psi_cpu_some"][100:190] = 60
    (finding,) = judge(read_one(columns), clock).findings
    assert "for up to 1 h 30 min on end" in finding.evidence[0]


def test_rules_are_complete_and_unique() -> None:
    assert len(TITLES) == len(RULES)
    for rule in RULES:
        assert rule.area in AREAS
        assert rule.advice.endswith(".")
        assert rule.reference
        assert all(getattr(condition, "measure", "cpu_busy") in MEASURES for condition in rule.conditions)


def test_growth_says_when_it_ends_as_a_range(read_one: ReadOne, clock: Clock) -> None:
    columns = machines.healthy(interval=300)
    leak(columns)
    (finding,) = judge(read_one(columns), clock).findings
    low, high = map(
        float, re.findall(r"At this rate 100 % is ([0-9.]+) to ([0-9.]+) days away", finding.evidence[0])[0]
    )
    left = (16_000 - columns["mem_used_mb"][-1]) / (4000 / 7)
    assert low - 1 <= left <= high + 1
