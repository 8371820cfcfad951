"""What the machine runs in: a hypervisor, a container, a cloud (as systemd-detect-virt and cloud-init tell them)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from agent.readers.files import clean_name, read_text

_VENDORS = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "virtualbox"),
    ("VirtualBox", "virtualbox"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "hyper-v"),
    ("Google Compute Engine", "google"),
    ("Apple Virtualization", "apple"),
)
_CLOUDS = (
    ("Amazon EC2", "aws"),
    ("Google Compute Engine", "gcp"),
    ("7783-7084-3265-9085-8269-3286-77", "azure"),
    ("OracleCloud.com", "oracle"),
    ("DigitalOcean", "digitalocean"),
    ("Hetzner", "hetzner"),
    ("Alibaba Cloud", "alibaba"),
    ("Tencent Cloud", "tencent"),
    ("Scaleway", "scaleway"),
    ("Vultr", "vultr"),
    ("Linode", "linode"),
    ("Akamai", "linode"),
    ("OVHcloud", "ovh"),
    ("UpCloud", "upcloud"),
    ("Exoscale", "exoscale"),
    ("OpenStack", "openstack"),
)
"""Azure's and Oracle's are in the chassis asset tag, which is the same on all their machines."""
_CONTAINER_FILES = (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"))
_CONTAINER_GROUPS = (
    ("/kubepods", "kubernetes"),
    ("/docker/", "docker"),
    ("/docker-", "docker"),
    ("/libpod", "podman"),
    ("/lxc", "lxc"),
)


@dataclass(frozen=True)
class Hosting:
    """virtualization: empty on bare metal, `vm` for a hypervisor without a name. container, cloud: empty for none."""

    virtualization: str = ""
    container: str = ""
    cloud: str = ""
    vendor: str = ""
    product: str = ""


def read(proc_root: str, sys_root: str, root: str, hypervisor_flag: bool) -> Hosting:
    dmi = {name: _line(f"{sys_root}/class/dmi/id/{name}") for name in _DMI}
    hypervisor = _line(f"{sys_root}/hypervisor/type")
    return Hosting(
        virtualization(dmi, hypervisor, hypervisor_flag),
        container(root, _line(f"{root}/run/systemd/container"), _text(f"{proc_root}/1/cgroup")),
        cloud(dmi, _line(f"{sys_root}/hypervisor/uuid")),
        dmi["sys_vendor"],
        dmi["product_name"],
    )


_DMI = ("sys_vendor", "product_name", "board_vendor", "bios_vendor", "chassis_vendor", "chassis_asset_tag")
"""No serial numbers and no UUID, which identify a machine."""


def virtualization(dmi: dict[str, str], hypervisor: str, flag: bool) -> str:
    """A large cloud's bare metal has the cloud's DMI, but a processor that is nobody's guest."""
    if hypervisor:
        return hypervisor
    if dmi.get("sys_vendor") == "Microsoft Corporation" and dmi.get("product_name") == "Virtual Machine":
        return "hyper-v"
    words = " ".join(dmi.values())
    named = next((name for mark, name in _VENDORS if mark in words), "")
    if named in ("amazon", "google") and not flag:
        return ""
    return named or ("vm" if flag else "")


def cloud(dmi: dict[str, str], hypervisor_uuid: str) -> str:
    words = " ".join(dmi.values())
    named = next((name for mark, name in _CLOUDS if mark in words), "")
    return named or ("aws" if hypervisor_uuid.startswith("ec2") else "")


def container(root: str, manager: str, groups: str) -> str:
    """manager: what systemd-nspawn, podman and lxc write into /run/systemd/container."""
    if manager:
        return manager
    found = (name for path, name in _CONTAINER_FILES if os.path.exists(f"{root}{path}"))
    in_groups = (name for mark, name in _CONTAINER_GROUPS if mark in groups)
    return next(found, "") or next(in_groups, "")


def _line(path: str) -> str:
    return clean_name(_text(path).strip())[:200]


def _text(path: str) -> str:
    try:
        return read_text(path)
    except OSError:
        return ""
