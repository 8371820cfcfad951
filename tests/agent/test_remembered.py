"""What a machine is made of is worked out anew exactly when it has changed."""

from __future__ import annotations

import os
from pathlib import Path

from agent.measures import network
from agent.measures.remembered import Remembered
from agent.readers.interfaces import Interface, InterfaceTree

ETH0 = {"eth0": Interface("eth0", 2, has_device=True)}


def test_the_same_things_are_not_looked_at_again() -> None:
    layout = Remembered(network.layout)
    assert layout({"eth0": 1}, ETH0) is layout({"eth0": 2}, ETH0)


def test_another_name_is_seen() -> None:
    layout = Remembered(network.layout)
    layout({"eth0": 1}, ETH0)
    assert set(layout({"eth0": 1, "eth1": 1}, ETH0).interfaces) == {"eth0", "eth1"}


def test_another_interface_under_the_same_name_is_seen() -> None:
    layout = Remembered(network.layout)
    layout({"eth0": 1}, ETH0)
    anew = {"eth0": Interface("eth0", 9, has_device=True)}
    assert layout({"eth0": 1}, anew).interfaces["eth0"].ifindex == 9


def make(sys_root: Path, name: str, ifindex: int) -> Path:
    folder = sys_root / "devices/pci0/net" / name
    (folder / "device").mkdir(parents=True)
    (folder / "ifindex").write_text(f"{ifindex}\n")
    link = sys_root / "class/net" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(folder)
    return folder


def test_interfaces_are_the_very_same_object_until_one_changes(tmp_path: Path) -> None:
    make(tmp_path, "eth0", 2)
    (tmp_path / "class/net/bonding_masters").write_text("\n")
    tree = InterfaceTree(str(tmp_path))
    first = tree.read()
    assert tree.read() is first
    make(tmp_path, "eth1", 3)
    assert set(tree.read()) == {"eth0", "eth1"}


def test_an_interface_made_anew_between_two_samples_has_its_new_number(tmp_path: Path) -> None:
    folder = make(tmp_path, "eth0", 2)
    tree = InterfaceTree(str(tmp_path))
    assert tree.read()["eth0"].ifindex == 2
    (folder / "ifindex").write_text("7\n")
    link, beside = tmp_path / "class/net/eth0", tmp_path / "class/net/beside"
    beside.symlink_to(folder)
    os.replace(beside, link)
    assert tree.read()["eth0"].ifindex == 7


def test_a_card_that_becomes_the_port_of_another_is_seen(tmp_path: Path) -> None:
    folder = make(tmp_path, "eth0", 2)
    make(tmp_path, "eth1", 3)
    tree = InterfaceTree(str(tmp_path))
    assert tree.read()["eth0"].master is None
    (folder / "master").symlink_to("../eth1")
    assert tree.read()["eth0"].master == "eth1"
    assert network.layout({"eth0": 1, "eth1": 1}, tree.read()).physical == ["eth1"]


def test_an_endpoint_of_a_container_that_joins_a_bridge_is_seen(tmp_path: Path) -> None:
    folder = make(tmp_path, "eth0", 2)
    (folder / "device").rmdir()
    tree = InterfaceTree(str(tmp_path))
    assert tree.read()["eth0"].master is None
    (folder / "master").symlink_to("../br0")
    assert tree.read()["eth0"].master == "br0"
