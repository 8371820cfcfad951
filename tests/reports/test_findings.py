"""Known ailments are found by name; a healthy machine is clean; nothing is found without evidence."""

from __future__ import annotations

import re

import numpy as np
import pytest

from reports.measures import MEASURES
from reports.rules import AREAS, RULES, judge
from reports.table import Machine
from reports.wording import Clock
from tests.reports import machines
from tests.reports.machines import Columns, ReadOne


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
    columns["cpu_steal"][machines.hours(columns, 18, 22)] = 18


def use_one_core(columns: Columns) -> None:
    columns["cpu_cores"][:, 0] = 99
    columns["cpu_cores"][:, 1:] = 4


def idle(columns: Columns) -> None:
    for name in ("cpu_user", "cpu_system"):
        columns[name] *= 0.05


def press_memory(columns: Columns) -> None:
    columns["psi_memory_some"][machines.hours(columns, 3, 5)] = 35


def swap(columns: Columns) -> None:
    columns["swap_out_mb"][machines.hours(columns, 3, 6)] = 4


def fill_memory(columns: Columns) -> None:
    columns["mem_available_mb"][machines.hours(columns, 3, 6)] = 700


def leak(columns: Columns) -> None:
    columns["mem_used_mb"] += np.linspace(0, 4000, columns["timestamp"].size)


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
    "cpu-one-core": use_one_core,
    "cpu-oversized": idle,
    "memory-pressure": press_memory,
    "memory-swapping": swap,
    "memory-low": fill_memory,
    "memory-growth": leak,
    "disk-stall": stall,
    "disk-slow": slow_disk,
    "net-errors": damage,
    "net-drops": drop,
}
TITLES = {rule.title: rule.name for rule in RULES}


def found(machine: Machine, clock: Clock) -> list[str]:
    return [TITLES[finding.title] for finding in judge(machine, clock).findings]


def test_every_rule_has_an_ailment_that_it_finds() -> None:
    assert set(AILMENTS) == {rule.name for rule in RULES}


@pytest.mark.parametrize("name", AILMENTS)
def test_an_ailment_is_found_and_nothing_else(name: str, read_one: ReadOne, clock: Clock) -> None:
    columns = machines.healthy(interval=300)
    AILMENTS[name](columns)
    assert found(read_one(columns), clock) == [name]


@pytest.mark.parametrize("seed", range(12))
def test_a_healthy_machine_is_clean(seed: int, read_one: ReadOne, clock: Clock) -> None:
    assert found(read_one(machines.healthy(seed, interval=300)), clock) == []


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
        assert all(condition.measure in MEASURES for condition in rule.conditions)


def test_growth_says_when_it_ends_as_a_range(read_one: ReadOne, clock: Clock) -> None:
    columns = machines.healthy(interval=300)
    leak(columns)
    (finding,) = judge(read_one(columns), clock).findings
    low, high = map(
        float, re.findall(r"At this rate 100 % is ([0-9.]+) to ([0-9.]+) days away", finding.evidence[0])[0]
    )
    left = (16_000 - columns["mem_used_mb"][-1]) / (4000 / 7)
    assert low - 1 <= left <= high + 1
