"""Takes the files of this machine that the agent reads, twice ten seconds apart, as a tree for the tests.

Usage: python -m tests.agent.capture FOLDER. Anyone can run it on a machine of a new kind and send the folder: host
names, addresses, serial numbers and file names are neither read nor written, the boot id is replaced, and of the
kernel's release only the numbers stay.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path

SECONDS = 10.0
PROC = (
    "stat",
    "meminfo",
    "vmstat",
    "loadavg",
    "diskstats",
    "net/dev",
    "pressure/cpu",
    "pressure/io",
    "pressure/memory",
)
ONCE = ("cpuinfo", "sys/kernel/osrelease")
BLOCK = ("partition", "hidden", "size", "queue/rotational")
NET = ("ifindex", "uevent", "type", "mtu", "tun_flags")
DMI = ("sys_vendor", "product_name", "board_vendor", "bios_vendor", "chassis_vendor", "chassis_asset_tag")
BOOT_ID = "00000000-0000-4000-8000-000000000000"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def copy(source: Path, target: Path) -> None:
    """Nothing where the kernel has no such file, or will not read it."""
    try:
        text = source.read_text(errors="replace")
    except OSError:
        return
    write(target, text)


def capture_proc(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        copy(Path("/proc", name), folder / name)
    release = folder / "sys/kernel/osrelease"
    if release.exists():
        write(release, re.sub(r"^([0-9.]+).*", r"\1", release.read_text()))
    write(folder / "sys/kernel/random/boot_id", f"{BOOT_ID}\n")
    stat = folder / "stat"
    stat.write_text(re.sub(r"^intr .*$", "intr 0", stat.read_text(), flags=re.MULTILINE))


def capture_class(folder: Path, kind: str, files: tuple[str, ...]) -> None:
    """Each device's folder where the kernel has it, and the link of the class to it."""
    for name in sorted(os.listdir(f"/sys/class/{kind}")):
        link = Path("/sys/class", kind, name)
        if not link.is_symlink():
            continue
        target = os.readlink(link)
        device = folder / "class" / kind / target
        home = Path(os.path.normpath(device))
        home.mkdir(parents=True, exist_ok=True)
        for file in files:
            copy(link / file, home / file)
        copy_relations(link, home)
        (folder / "class" / kind).mkdir(parents=True, exist_ok=True)
        (folder / "class" / kind / name).symlink_to(target)


def copy_relations(link: Path, home: Path) -> None:
    """What stands on what: names only, as empty files, and the master as a link to nowhere."""
    for name in os.listdir(link):
        if name in ("device", "bridge", "bonding") or name.startswith("lower_"):
            write(home / name, "")
    if (link / "master").is_symlink():
        (home / "master").symlink_to(Path("..") / Path(os.readlink(link / "master")).name)
    if (link / "slaves").is_dir():
        for slave in os.listdir(link / "slaves"):
            write(home / "slaves" / slave, "")


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    capture_proc(folder / "proc", PROC + ONCE)
    time.sleep(SECONDS)
    capture_proc(folder / "proc-later", PROC)
    capture_class(folder / "sys", "block", BLOCK)
    capture_class(folder / "sys", "net", NET)
    for name in DMI:
        copy(Path("/sys/class/dmi/id", name), folder / "sys/class/dmi/id" / name)
    copy(Path("/etc/os-release"), folder / "root/etc/os-release")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
