"""The recommendations as declared rules: what must hold, how sure it makes us, and what to do about it.

Saturation is judged by pressure (PSI), run queue, await and queue depth, as in Gregg's USE method; utilisation alone
proves nothing. A rule without its metrics is `not measured`, never `fine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reports.checked import Checked
from reports.conditions import Condition, Excess, Growth, Related, Typical
from reports.document import Finding, Severity
from reports.filesystems import Filling, NearlyFull
from reports.measures import measured
from reports.recurring import Climbs, Nightly
from reports.table import Machine
from reports.wording import Clock

Area = Literal["CPU", "Memory", "Disk I/O", "Network"]
AREAS: tuple[Area, ...] = ("CPU", "Memory", "Disk I/O", "Network")

PSI = "Linux kernel, Documentation/accounting/psi.rst"
PROC = "Linux kernel, Documentation/filesystems/proc.rst"
IOSTATS = "Linux kernel, Documentation/admin-guide/iostats.rst"
USE = "B. Gregg, The USE Method (utilisation, saturation, errors)"
DF = "POSIX.1-2017, df; Linux, statvfs(3)"
NETDEV = "Linux kernel, Documentation/networking/statistics.rst"


@dataclass(frozen=True)
class Rule:
    """Fires when every condition is met. It is left alone where any of `unless` was measured: that says it better."""

    name: str
    area: Area
    severity: Severity
    title: str
    conditions: tuple[Condition, ...]
    confidence: Literal["high", "medium", "low"]
    advice: str
    reference: str
    unless: tuple[str, ...] = ()


RULES = (
    Rule(
        "cpu-saturation",
        "CPU",
        "critical",
        "Tasks wait for a CPU",
        (Excess("psi_cpu_some", 25, 0.02),),
        "high",
        "Find the programs that run in these hours and spread, limit or move them; if they must all run, add cores.",
        PSI,
    ),
    Rule(
        "cpu-run-queue",
        "CPU",
        "warning",
        "More tasks are ready to run than there are cores",
        (Excess("run_queue_per_core", 2, 0.05), Excess("cpu_busy", 80, 0.05)),
        "medium",
        "Find the programs that run in these hours; turn on pressure stall information (psi=1) to measure the waiting.",
        USE,
        unless=("psi_cpu_some",),
    ),
    Rule(
        "cpu-busy",
        "CPU",
        "warning",
        "The CPUs are busy nearly all the time",
        (Typical("cpu_busy", 50, 85),),
        "medium",
        "There is no reserve for a peak or the loss of a peer: plan more cores, or move work away.",
        USE,
    ),
    Rule(
        "cpu-steal",
        "CPU",
        "warning",
        "The hypervisor withholds CPU time when this machine needs it",
        (Excess("cpu_steal", 5, 0.05), Related("cpu_steal", "cpu_busy", 0.4)),
        "high",
        "The plan's share of CPU or its credits are spent: take a larger or unshared plan, or spread the work in time.",
        PROC,
    ),
    Rule(
        "cpu-noisy-neighbour",
        "CPU",
        "warning",
        "Other guests take CPU time from this machine, whatever it does itself",
        (Excess("cpu_steal", 5, 0.05), Related("cpu_steal", "cpu_busy", 0.4, below=True)),
        "medium",
        "Ask the provider to move the machine to another host, or take a plan without overcommit.",
        PROC,
    ),
    Rule(
        "cpu-nightly-batch",
        "CPU",
        "note",
        "A heavy job runs every night",
        (Nightly("cpu_busy", 3, 40),),
        "medium",
        "Nothing is wrong if it is known: check that it ends before the day begins, and keep alerts from firing on it.",
        USE,
    ),
    Rule(
        "cpu-one-core",
        "CPU",
        "note",
        "One core carries the work while others idle",
        (Excess("cpu_busiest", 90, 0.05), Excess("cpu_imbalance", 50, 0.05)),
        "medium",
        "Look for a single-threaded program, or interrupts bound to one core (/proc/interrupts, irqbalance).",
        USE,
    ),
    Rule(
        "cpu-oversized",
        "CPU",
        "note",
        "The machine has far more CPU than it uses",
        (Typical("cpu_busy", 99, 10, below=True, days=3),),
        "medium",
        "A smaller size would do for the load seen here; check yearly peaks that this period does not hold first.",
        USE,
    ),
    Rule(
        "memory-pressure",
        "Memory",
        "critical",
        "Tasks wait for memory",
        (Excess("psi_memory_some", 10, 0.02),),
        "high",
        "Find the largest programs in these hours and limit them, or add memory.",
        PSI,
    ),
    Rule(
        "memory-swapping",
        "Memory",
        "warning",
        "The machine keeps swapping",
        (Excess("swap_traffic_mb", 0.5, 0.05),),
        "high",
        "Swap space in use does no harm; traffic does. Reduce what runs here, or add memory.",
        PROC,
    ),
    Rule(
        "memory-low",
        "Memory",
        "warning",
        "Little memory is left for new work",
        (Excess("mem_available_percent", 8, 0.05, below=True),),
        "medium",
        "Check what holds the memory before the kernel has to end a program to free some.",
        PROC,
    ),
    Rule(
        "memory-growth",
        "Memory",
        "warning",
        "Memory use grows day by day",
        (Growth("mem_used_percent", 5, 100),),
        "medium",
        "Look for a program that leaks: compare resident memory of processes a few days apart, and plan its restart.",
        "Sen (1968), Estimates of the regression coefficient based on Kendall's tau, JASA 63",
    ),
    Rule(
        "memory-leak",
        "Memory",
        "warning",
        "Memory climbs until a restart and climbs again",
        (Climbs("mem_used_percent", 2, 8),),
        "medium",
        "A program leaks and restarts hide it: compare resident memory of processes a day apart.",
        PROC,
    ),
    Rule(
        "memory-oversized",
        "Memory",
        "note",
        "The machine has far more memory than it uses",
        (Typical("mem_used_percent", 99, 25, below=True, days=3), Typical("mem_cached_percent", 99, 40, True, 3)),
        "low",
        "A smaller size would do for what was seen here; keep room for the page cache, which speeds up disk reads.",
        PROC,
    ),
    Rule(
        "disk-stall",
        "Disk I/O",
        "critical",
        "All tasks at once stand still for disk I/O",
        (Excess("psi_io_full", 15, 0.02),),
        "high",
        "Find who reads and writes in these hours; spread backups and batches, add cache, or use faster storage.",
        PSI,
    ),
    Rule(
        "disk-slow",
        "Disk I/O",
        "warning",
        "The disks answer slowly while requests queue",
        (Excess("disk_await_ms", 25, 0.05), Excess("disk_queue_depth", 2, 0.05)),
        "high",
        "Compare with what the storage should give; look for a failing disk, a throttled volume or a competing job.",
        IOSTATS,
    ),
    Rule(
        "disk-full",
        "Disk I/O",
        "critical",
        "A filesystem is nearly full",
        (NearlyFull(95),),
        "high",
        "Free space now, or enlarge the volume: programs fail in many ways when a write is refused.",
        DF,
    ),
    Rule(
        "disk-filling",
        "Disk I/O",
        "warning",
        "A filesystem will soon be full",
        (Filling(30),),
        "medium",
        "Find what grows (du -x, old logs, snapshots, backups), limit or rotate it, or plan a larger volume in time.",
        DF,
    ),
    Rule(
        "net-errors",
        "Network",
        "warning",
        "Packets are damaged on the way",
        (Excess("net_errors", 0.05, 0.01),),
        "high",
        "Errors come from the physical side: check cable, transceiver, switch port and duplex (ethtool -S).",
        NETDEV,
    ),
    Rule(
        "net-drops",
        "Network",
        "warning",
        "Packets are dropped",
        (Excess("net_drops", 1, 0.02),),
        "medium",
        "Check ring buffers and backlog (ethtool -g, /proc/net/softnet_stat) and how interrupts spread over cores.",
        NETDEV,
    ),
)


@dataclass(frozen=True)
class Judged:
    """What the rules said of one machine: findings worst first, rules that found nothing, rules that could not look."""

    findings: tuple[Finding, ...]
    clear: tuple[Rule, ...]
    unknown: tuple[Rule, ...]

    def of(self, area: str) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.area == area)


def judge(machine: Machine, clock: Clock, rules: Sequence[Rule] = RULES) -> Judged:
    """Try every rule that applies."""
    applying = [rule for rule in rules if not any(measured(machine.system, name) is not None for name in rule.unless)]
    results = [(rule, [condition.check(machine, clock) for condition in rule.conditions]) for rule in applying]
    fired = [_finding(rule, checks, machine) for rule, checks in results if _all(checks, "met")]
    order: tuple[Severity, ...] = ("critical", "warning", "note")
    return Judged(
        tuple(sorted(fired, key=lambda finding: order.index(finding.severity))),
        tuple(rule for rule, checks in results if any(check.state == "clear" for check in checks)),
        tuple(rule for rule, checks in results if not _decided(checks)),
    )


def _all(checks: Sequence[Checked], state: str) -> bool:
    return all(check.state == state for check in checks)


def _decided(checks: Sequence[Checked]) -> bool:
    """One condition that is clear settles a rule, whatever else was not measured."""
    return _all(checks, "met") or any(check.state == "clear" for check in checks)


def _finding(rule: Rule, checks: Sequence[Checked], machine: Machine) -> Finding:
    evidence = tuple(check.evidence for check in checks)
    return Finding(
        rule.severity, rule.area, machine.name, rule.title, evidence, rule.confidence, rule.advice, rule.reference
    )


def describe(rule: Rule) -> str:
    """What a rule looked at and for, in a few words: `CPU pressure at or above 25 % in 2 % of samples`."""
    return " and ".join(condition.describe() for condition in rule.conditions)
