"""What the machine page makes of an inventory; it comes from the machine, so it may be anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.models import Role
from agent import inventory as agent_inventory
from agent.devices import BlockNode, NetworkNode
from collectors.models import Collector
from core.tenancy import schema_context
from portal import inventory
from tests.cast import MACHINE, Cast

TOLD = agent_inventory.Inventory(
    os_name="Debian GNU/Linux 12", kernel="6.1.0", architecture="x86_64", cpu_model="EPYC", cpu_threads=8, cpu_cores=4,
    cpu_sockets=1, memory_mb=24105.6, swap_mb=0.0, boot_id="b", boot_time=1_795_496_569, virtualization="kvm",
    block_devices=(
        BlockNode("dm-0", "dm", 900.0, parents=("md0",), label="vg-root"),
        BlockNode("md0", "md", 1000.0, parents=("sda1", "sdb1"), label="raid1"),
        BlockNode("sda", "disk", 2_000_000.0, "INTEL SSD", False),
        BlockNode("sda1", "partition", 1000.0, parents=("sda",)),
        BlockNode("sdb", "disk", 1000.0, rotational=True),
        BlockNode("sdb1", "partition", 1000.0, parents=("sdb",)),
    ),
    interfaces=(NetworkNode("bond0", "bond", 2000, parents=("eth0",)), NetworkNode("eth0", "physical", 1000)),
    agent="1.0", python="3.9.2",
)  # fmt: skip


def collector(told: Any) -> Collector:
    return Collector(machine_id="m", inventory=told)


def rows(devices: list[inventory.Device]) -> list[tuple[int, str]]:
    return [(device.depth, device.name) for device in devices]


def test_what_the_agent_sends_is_what_is_shown() -> None:
    found = inventory.of(collector(json.loads(json.dumps(agent_inventory.as_dict(TOLD)))))
    assert dict(found.facts) == {
        "System": "Debian GNU/Linux 12", "Kernel": "6.1.0 · x86_64", "Processor": "EPYC",
        "CPUs": "8 (4 cores, 1 socket)", "Memory": "23.5 GB", "Virtualisation": "kvm", "Agent": "1.0 · Python 3.9.2",
    }  # fmt: skip
    assert rows(found.block_devices) == [
        (0, "sda"), (1, "sda1"), (2, "md0"), (3, "dm-0"), (0, "sdb"), (1, "sdb1"), (2, "md0"),
    ]  # fmt: skip
    assert found.block_devices[0].about == "disk · 1.91 TB · INTEL SSD · solid state"
    assert rows(found.interfaces) == [(0, "eth0"), (1, "bond0")]


@pytest.mark.parametrize(
    "told",
    [
        [], "x", {"memory_mb": "x", "cpu_threads": True, "boot_time": "x"}, {"block_devices": {"a": 1}},
        {"block_devices": [1, {}, {"name": 3}, {"name": "a", "parents": 3}, {"name": "b", "parents": [[], "b", "no"]}]},
    ],
)  # fmt: skip
def test_anything_else_breaks_nothing(told: Any) -> None:
    inventory.of(collector(told))
    inventory.booted_at(collector(told))


def test_a_circle_and_a_lattice_of_devices_end() -> None:
    circle = [{"name": "a", "parents": ["b"]}, {"name": "b", "parents": ["a"]}]
    assert rows(inventory.of(collector({"interfaces": circle})).interfaces) == [(0, "a"), (1, "b"), (2, "a")]
    lattice = [{"name": "0x"}, {"name": "0y"}] + [
        {"name": f"{level}{side}", "parents": [f"{level - 1}x", f"{level - 1}y"]}
        for level in range(1, 60) for side in "xy"
    ]  # fmt: skip
    assert len(inventory.of(collector({"block_devices": lattice})).block_devices) <= inventory.MOST


def test_the_page_shows_it_escaped(alpha: Cast) -> None:
    told = {"os_name": "<b>x</b>", "interfaces": [{"name": "<i>eth0</i>", "kind": "physical"}], "boot_time": 1795496569}
    with schema_context(alpha.schema):
        Collector.objects.filter(machine_id=MACHINE).update(inventory=told)
    page = alpha.client(Role.VIEWER).get(f"/machines/{MACHINE}").content.decode()
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "&lt;i&gt;eth0&lt;/i&gt;" in page
    assert "2026-11-2" in page
