"""A customer's day with the rules that everybody has: each true cause once, nothing for the harmless."""

from __future__ import annotations

from datetime import datetime

import pytest

from alerts.models import Alert
from tests.alerts.simulator import DAY, HOUR, MINUTE, MONDAY, World, between, fired, roll, steady
from tests.alerts.test_weeks_news import tells

pytestmark = pytest.mark.usefixtures("inside_alpha")


def at(hours: float) -> datetime:
    return MONDAY + hours * HOUR


def test_a_day_with_six_causes_among_harmless_machines_is_six_alerts() -> None:
    world = World.empty(MONDAY, at(12), every=10 * MINUTE, step=2 * MINUTE)
    quiet = {"psi_cpu_some": steady(8), "psi_memory_full": steady(0), "psi_io_full": steady(3)}
    nightly = {"psi_cpu_some": between([(at(1), at(1.7))], 95, 5), "psi_io_full": between([(at(1), at(1.6))], 80, 2)}
    for number in range(4):
        world.add(f"web{number}", address=f"192.0.2.{number + 1}", system=quiet)
    world.add("batch", address="192.0.2.20", system=nightly)
    world.add("stalls", address="192.0.2.21", system={**quiet, "psi_memory_full": between([(at(2), at(4))], 60, 0)})
    world.add("cable", address="192.0.2.22", system=quiet, interfaces={
        "eth0": {"rx_errors": between([(at(3), at(5))], 40, 0), "tx_errors": steady(0)},
        "eth1": {"rx_errors": steady(0), "tx_errors": steady(0)},
    })  # fmt: skip
    world.add("full", address="192.0.2.23", system=quiet, filesystems={
        "/var": {"used_percent": lambda t: min(99, 85 + (t - MONDAY) / HOUR), "inodes_used_percent": steady(5)},
    })  # fmt: skip
    grows = world.add("grows", address="192.0.2.24", system=quiet)
    roll(grows, MONDAY - 14 * DAY, at(12), "filesystems", "/srv",
         used_mb=lambda t: 70_000 + 5000 * ((t - MONDAY) / DAY),
         available_mb=lambda t: 30_000 - 5000 * ((t - MONDAY) / DAY))  # fmt: skip
    boots = world.add("boots", address="192.0.2.25", system=quiet)
    tells(boots, boot_id="one")
    for number in range(3):
        world.add(f"office{number}", address="198.51.100.9", system=quiet).cut = [(at(6), at(8))]
    world.run(at(5))
    tells(boots, boot_id="two")
    world.run(at(12))
    assert sorted(targets for kind, targets in world.told() if kind == "firing") == [
        ("Filesystem full within a week: grows//srv",), ("Filesystem nearly full: full//var",),
        ("Machine is silent: address:198.51.100.9",), ("Memory stalls: stalls",), ("Network errors: cable/eth0",),
        ("Rebooted: boots",),
    ]  # fmt: skip
    assert sorted(targets for kind, targets in world.told() if kind == "resolved") == [
        ("Machine is silent: address:198.51.100.9",), ("Memory stalls: stalls",), ("Network errors: cable/eth0",),
    ]  # fmt: skip
    escalated = [targets for kind, targets in world.told() if kind == "escalation"]
    assert escalated == [
        ("Memory stalls: stalls",), ("Machine is silent: address:198.51.100.9",),
        ("Filesystem nearly full: full//var",),
    ]  # fmt: skip
    assert len(fired()) == 6
    assert Alert.objects.loud().count() == 2
