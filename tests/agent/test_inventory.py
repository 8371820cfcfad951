"""The inventory: what machine this is, from text, and when it is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agent import devices, hosting, inventory
from agent.config import Config
from agent.readers.files import ParseError

TREES = Path(__file__).parent / "trees"
X86 = """processor\t: {n}
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz
physical id\t: {socket}
core id\t\t: {core}
flags\t\t: fpu vme{flags} sse
"""
ARM = "processor\t: 0\nCPU part\t: 0xd0c\n\nprocessor\t: 1\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4\n"


def x86(flags: str = "") -> str:
    return "\n".join(X86.format(n=n, socket=n // 4, core=n % 2, flags=flags) for n in range(8))


def test_sockets_cores_and_threads_are_told_apart() -> None:
    cpu = inventory.parse_cpuinfo(x86())
    assert (cpu.sockets, cpu.cores, cpu.threads, cpu.hypervisor) == (2, 4, 8, False)
    assert cpu.model == "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz"


def test_a_guest_is_known_by_its_processors_flag() -> None:
    assert inventory.parse_cpuinfo(x86(" hypervisor")).hypervisor


def test_a_board_names_itself_in_the_last_block() -> None:
    cpu = inventory.parse_cpuinfo(ARM)
    assert (cpu.model, cpu.threads, cpu.sockets) == ("Raspberry Pi 4", 2, None)


@pytest.mark.parametrize("text", ["", "\n\n", "Hardware : x\n"])
def test_a_cpuinfo_without_a_processor_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        inventory.parse_cpuinfo(text)


def test_os_release_is_shell_with_and_without_quotes() -> None:
    text = "# c\nNAME=\"Red Hat\"\nID=rhel\nPRETTY_NAME='RHEL 9'\nrubbish\n"
    assert inventory.parse_os_release(text) == {"NAME": "Red Hat", "ID": "rhel", "PRETTY_NAME": "RHEL 9"}


@pytest.mark.parametrize(
    ("dmi", "hypervisor", "flag", "virtualization", "cloud"),
    [
        ({}, "", False, "", ""),
        ({}, "", True, "vm", ""),
        ({"sys_vendor": "QEMU", "product_name": "Standard PC (Q35)"}, "", True, "qemu", ""),
        ({"sys_vendor": "VMware, Inc."}, "", True, "vmware", ""),
        ({"sys_vendor": "innotek GmbH", "product_name": "VirtualBox"}, "", True, "virtualbox", ""),
        ({"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R740"}, "", False, "", ""),
        ({"sys_vendor": "Amazon EC2", "product_name": "m5.large"}, "", True, "amazon", "aws"),
        ({"sys_vendor": "Amazon EC2", "product_name": "m5.metal"}, "", False, "", "aws"),
        ({"sys_vendor": "Google", "product_name": "Google Compute Engine"}, "", True, "google", "gcp"),
        (
            {
                "sys_vendor": "Microsoft Corporation",
                "product_name": "Virtual Machine",
                "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77",
            },
            *("", True, "hyper-v", "azure"),
        ),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, "", True, "hyper-v", ""),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Surface"}, "", False, "", ""),
        ({"sys_vendor": "Hetzner", "product_name": "vServer"}, "", True, "vm", "hetzner"),
        ({"chassis_asset_tag": "OracleCloud.com", "sys_vendor": "QEMU"}, "", True, "qemu", "oracle"),
        ({}, "xen", True, "xen", ""),
    ],
)
def test_the_hypervisor_and_the_cloud_are_known_by_dmi(
    dmi: dict[str, str], hypervisor: str, flag: bool, virtualization: str, cloud: str
) -> None:
    assert hosting.virtualization(dmi, hypervisor, flag) == virtualization
    assert hosting.cloud(dmi, "") == cloud


def test_a_xen_machine_of_amazon_is_known_by_its_uuid() -> None:
    assert hosting.cloud({}, "ec2e1916-9099-7caf-fd21-012345abcdef") == "aws"


@pytest.mark.parametrize(
    ("manager", "groups", "name"),
    [("systemd-nspawn", "", "systemd-nspawn"), ("", "0::/kubepods/x", "kubernetes"), ("", "0::/init.scope", "")],
)
def test_a_container_is_known_by_its_manager_or_control_group(
    tmp_path: Path, manager: str, groups: str, name: str
) -> None:
    assert hosting.container(str(tmp_path), manager, groups) == name


def test_a_container_is_known_by_the_file_of_its_engine(tmp_path: Path) -> None:
    (tmp_path / ".dockerenv").touch()
    assert hosting.container(str(tmp_path), "", "") == "docker"


def test_the_device_tree_leads_from_partitions_to_disks_and_from_dm_to_md() -> None:
    nodes = {node.name: node for node in devices.block_nodes(str(TREES / "md-and-lvm" / "sys"))}
    partitions = [node for node in nodes.values() if node.kind == "partition"]
    assert partitions
    assert all(nodes[node.parents[0]].kind == "disk" for node in partitions)
    assert {node.kind for node in nodes.values()} == {"disk", "partition", "md", "dm"}
    dm = next(node for node in nodes.values() if node.kind == "dm")
    assert all(parent in nodes for parent in dm.parents)


def test_the_device_tree_tells_bridges_and_bonds_from_cards() -> None:
    nodes = {node.name: node for node in devices.network_nodes(str(TREES / "virtual-machine-host" / "sys"))}
    assert "physical" in {node.kind for node in nodes.values()}
    ports = [node for node in nodes.values() if node.master]
    assert ports
    assert all(port.master in nodes for port in ports)


def settings(machine: Path) -> Config:
    return Config(proc_root=str(machine / "proc"), sys_root=str(machine / "sys"))


def test_it_is_sent_once_and_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = inventory.read(inventory.Places())
    monkeypatch.setattr(inventory, "read", lambda where: first)
    text, mark = inventory.changed(Config(), "")
    assert json.loads(text)["kernel"] == first.kernel
    assert inventory.changed(Config(), mark) == ("", mark)
    monkeypatch.setattr(inventory, "read", lambda where: replace(first, boot_time=1))
    assert inventory.changed(Config(), mark) == ("", mark), "the kernel reckons the boot time anew each time"
    monkeypatch.setattr(inventory, "read", lambda where: replace(first, memory_mb=1.0))
    assert inventory.changed(Config(), mark)[0] != ""


def test_it_is_never_larger_than_the_portal_takes() -> None:
    many = tuple(devices.BlockNode(f"dm-{n}", "dm", 1.0, "x" * 100) for n in range(2000))
    content: Any = inventory.as_dict(inventory.Inventory(block_devices=many))
    text = inventory.fitted(content)
    assert len(text.encode()) <= inventory.MAX_BYTES
    assert json.loads(text)["cut"]


def test_a_machine_without_anything_to_read_has_an_empty_inventory(tmp_path: Path) -> None:
    found = inventory.read(inventory.Places(*[str(tmp_path)] * 3))
    assert found.kernel == ""
    assert "cpuinfo" in found.failures
