"""What machine this is: read in the upload process, sent at the start and when it has changed."""

from __future__ import annotations

import json
import os
import sys
import zlib
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, TypeVar

from agent import __version__, hosting
from agent.config import Config
from agent.devices import BlockNode, NetworkNode, block_nodes, network_nodes
from agent.readers import boot, meminfo
from agent.readers.files import ParseError, Tree, clean_name, read_text

MAX_BYTES = 65_536
_MAX_NODES = 200
_VOLATILE = frozenset(("boot_time",))
"""Reckoned by the kernel anew at each read, and off by a second now and then; another boot has another boot_id."""
T = TypeVar("T")


@dataclass(frozen=True)
class Places:
    """root: where /etc and /run of the machine are."""

    proc: str = "/proc"
    sys: str = "/sys"
    root: str = ""


@dataclass(frozen=True)
class Inventory:
    """Empty or None where it could not be read. No serial numbers, no addresses. boot_time: Unix seconds."""

    hostname: str = ""
    os_name: str = ""
    os_id: str = ""
    os_version: str = ""
    kernel: str = ""
    architecture: str = ""
    cpu_model: str = ""
    cpu_sockets: int | None = None
    cpu_cores: int | None = None
    cpu_threads: int | None = None
    memory_mb: float | None = None
    swap_mb: float | None = None
    boot_id: str = ""
    boot_time: int | None = None
    virtualization: str = ""
    container: str = ""
    cloud: str = ""
    vendor: str = ""
    product: str = ""
    proc_is_of_the_host: bool | None = None
    block_devices: tuple[BlockNode, ...] = ()
    interfaces: tuple[NetworkNode, ...] = ()
    agent: str = __version__
    python: str = ""
    failures: dict[str, str] = field(default_factory=dict)


def places(config: Config) -> Places:
    """A container that was given its host's /proc finds the host's files below that of the first process."""
    own = config.proc_root == "/proc"
    return Places(config.proc_root, config.sys_root, "" if own else f"{config.proc_root}/1/root")


def changed(config: Config, sent: str) -> tuple[str, str]:
    """JSON text, empty when the inventory with the mark `sent` is still the right one, and the mark of this one."""
    content = as_dict(read(places(config)))
    lasting = {name: value for name, value in content.items() if name not in _VOLATILE}
    mark = f"{zlib.crc32(json.dumps(lasting, sort_keys=True).encode()):08x}"
    return ("" if mark == sent else fitted(content)), mark


def as_dict(inventory: Inventory) -> dict[str, Any]:
    return asdict(inventory)


def fitted(content: dict[str, Any]) -> str:
    """As JSON of at most MAX_BYTES: of a machine with thousands of devices, some are left out."""
    nodes = _MAX_NODES
    text = json.dumps(content, ensure_ascii=False)
    while len(text.encode()) > MAX_BYTES and nodes:
        cut = {name: content[name][:nodes] for name in ("block_devices", "interfaces")}
        text = json.dumps({**content, **cut, "cut": True}, ensure_ascii=False)
        nodes //= 2
    return text


def read(where: Places) -> Inventory:
    """Never raises: what fails is left empty and named in `failures`."""
    proc, failures = Tree(where.proc), {}

    def attempt(name: str, ask: Callable[[], T], otherwise: T) -> T:
        try:
            return ask()
        except Exception as error:  # one strange file must not cost the whole inventory
            failures[name] = str(error)[:200] or type(error).__name__
            return otherwise

    nothing: dict[str, str] = {}
    system = attempt("os-release", lambda: parse_os_release(read_text(f"{where.root}/etc/os-release")), nothing)
    cpu = attempt("cpuinfo", lambda: parse_cpuinfo(proc.text("cpuinfo")), Cpu())
    memory = attempt("meminfo", lambda: meminfo.read(proc), meminfo.Meminfo(0))
    host = attempt(
        "hosting", lambda: hosting.read(where.proc, where.sys, where.root, cpu.hypervisor), hosting.Hosting()
    )
    return Inventory(
        hostname=attempt("hostname", lambda: clean_name(proc.text("sys/kernel/hostname").strip()), ""),
        os_name=system.get("PRETTY_NAME", "") or system.get("NAME", ""),
        os_id=system.get("ID", ""),
        os_version=system.get("VERSION_ID", ""),
        kernel=attempt("kernel", lambda: clean_name(proc.text("sys/kernel/osrelease").strip()), ""),
        architecture=os.uname().machine,
        cpu_model=cpu.model,
        cpu_sockets=cpu.sockets,
        cpu_cores=cpu.cores,
        cpu_threads=cpu.threads or None,
        memory_mb=_mb(memory.total or None),
        swap_mb=_mb(memory.swap_total),
        boot_id=attempt("boot_id", lambda: boot.read(proc), ""),
        boot_time=attempt("boot_time", lambda: parse_boot_time(proc.text("stat")), None),
        virtualization=host.virtualization,
        container=host.container,
        cloud=host.cloud,
        vendor=host.vendor,
        product=host.product,
        proc_is_of_the_host=bool(host.container) if host.container else None,
        block_devices=attempt("block", lambda: block_nodes(where.sys), ()),
        interfaces=attempt("interfaces", lambda: network_nodes(where.sys), ()),
        python=".".join(map(str, sys.version_info[:3])),
        failures=failures,
    )


def _mb(kb: int | None) -> float | None:
    return None if kb is None else kb / 1024


def parse_os_release(text: str) -> dict[str, str]:
    """Shell assignments (os-release(5)): NAME=value or NAME="value"."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            values[name] = clean_name(value.strip("\"'"))[:200]
    return values


@dataclass(frozen=True)
class Cpu:
    """hypervisor: the flag by which a processor says that it is a guest's."""

    model: str = ""
    sockets: int | None = None
    cores: int | None = None
    threads: int = 0
    hypervisor: bool = False


_MODEL_FIELDS = ("model name", "cpu model", "Model", "cpu", "Processor", "uarch")
"""x86 and s390, MIPS, boards and old ARM, POWER, RISC-V."""


def parse_cpuinfo(text: str) -> Cpu:
    """Blocks of `name : value`, one a processor, and at the end perhaps one of the board."""
    blocks = [_fields(block) for block in text.split("\n\n") if block.strip()]
    processors = [block for block in blocks if "processor" in block]
    if not processors:
        raise ParseError("/proc/cpuinfo has no processor")
    models = (block[name] for name in _MODEL_FIELDS for block in blocks if block.get(name))
    sockets = {block["physical id"] for block in processors if "physical id" in block}
    cores = {
        (block["physical id"], block["core id"]) for block in processors if {"physical id", "core id"} <= set(block)
    }
    flags = f" {processors[0].get('flags', '')} "
    model = clean_name(next(models, ""))[:200]
    return Cpu(model, len(sockets) or None, len(cores) or None, len(processors), " hypervisor " in flags)


def _fields(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def parse_boot_time(text: str) -> int | None:
    """The line btime of /proc/stat, Unix seconds."""
    words = (line.split() for line in text.splitlines() if line.startswith("btime "))
    return next((int(found[1]) for found in words if len(found) == 2 and found[1].isdigit()), None)
