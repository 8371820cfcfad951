"""Each parser on what kernels write, and on what they must survive."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from agent.readers import (
    block,
    boot,
    diskstats,
    filesystems,
    interfaces,
    loadavg,
    meminfo,
    netdev,
    pressure,
    processes,
    stat,
    vmstat,
)
from agent.readers.files import ParseError, Tree, clean_name, read_text

NET_HEAD = "Inter-| Receive | Transmit\n face |bytes |bytes\n"

BAD_INPUTS: list[tuple[Callable[[str], Any], str]] = [
    (stat.parse, ""),
    (stat.parse, "cpu  1 2 3\n"),
    (stat.parse, "cpu  1 2 three 4\n"),
    (stat.parse, "cpu0 1 2 3 4\n"),
    (stat.parse, "cpu  1 2 3 4\nctxt many\n"),
    (meminfo.parse, ""),
    (meminfo.parse, "MemFree: 1 kB\n"),
    (meminfo.parse, "MemTotal:\n"),
    (meminfo.parse, "MemTotal: -5 kB\n"),
    (vmstat.parse, ""),
    (vmstat.parse, "pswpin 1\n"),
    (vmstat.parse, "pswpin x\npswpout 1\n"),
    (loadavg.parse, ""),
    (loadavg.parse, "0.1 0.2\n"),
    (loadavg.parse, "nan 0 0 1/1 1\n"),
    (loadavg.parse, "-1 0 0 1/1 1\n"),
    (pressure.parse, ""),
    (pressure.parse, "full avg10=0 total=5\n"),
    (pressure.parse, "some avg10=0 total=\n"),
    (boot.parse, ""),
    (diskstats.parse, "8 0\n"),
    (diskstats.parse, "8 0 sda 1 2 3\n"),
    (diskstats.parse, "8 0 sda 1 2 3 4 5 6 7 8 9 ten 11\n"),
    (netdev.parse, ""),
    (netdev.parse, NET_HEAD + "eth0 1 2 3\n"),
    (netdev.parse, NET_HEAD + "eth0: 1 2 3\n"),
    (netdev.parse, NET_HEAD + ": " + "1 " * 16 + "\n"),
    (netdev.parse, NET_HEAD + "eth0: " + "x " * 16 + "\n"),
    (filesystems.parse, "36 35 98:0 / /mnt\n"),
    (filesystems.parse, "36 35 98:0 / /mnt rw - ext4\n"),
    (processes.parse, ""),
    (processes.parse, "1 (init) S 0\n"),
]


@pytest.mark.parametrize(
    ("parse", "text"), BAD_INPUTS, ids=[f"{p.__module__}-{n}" for n, (p, _) in enumerate(BAD_INPUTS)]
)
def test_bad_input_is_a_parse_error_and_nothing_else(parse: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


def test_stat_of_an_old_kernel_has_no_steal() -> None:
    assert stat.parse("cpu  1 2 3 4\ncpu0 1 2 3 4\n").cpu == stat.CpuTimes(1, 2, 3, 4, 0, 0, 0, 0)


def test_stat_leaves_guest_time_out_because_user_holds_it() -> None:
    assert stat.parse("cpu  10 2 3 4 5 6 7 8 9 1\n").cpu == stat.CpuTimes(10, 2, 3, 4, 5, 6, 7, 8)


def test_stat_keeps_cores_by_number_where_one_is_offline() -> None:
    parsed = stat.parse("cpu  1 2 3 4\ncpu0 1 2 3 4\ncpu10 1 2 3 4\ncpu2 1 2 3 4\nctxt 7\n")
    assert sorted(parsed.cores) == [0, 2, 10]
    assert parsed.context_switches == 7
    assert parsed.procs_running is None


def test_net_dev_needs_no_space_after_the_colon_and_bears_one_in_the_name() -> None:
    numbers = " ".join(map(str, range(1, 17)))
    parsed = netdev.parse(NET_HEAD + f"  eth0:{numbers}\neth0:1: {numbers}\n")
    assert list(parsed) == ["eth0", "eth0:1"]
    assert parsed["eth0"] == netdev.NetCounters(1, 2, 3, 4, 9, 10, 11, 12)


@pytest.mark.parametrize("more", [0, 4, 6, 9])
def test_diskstats_of_any_kernel_has_the_same_first_fields(more: int) -> None:
    text = "8 0 sda 1 2 3 4 5 6 7 8 9 10 11" + " 5" * more
    assert diskstats.parse(text)["sda"] == diskstats.DiskCounters(1, 3, 5, 7, diskstats.DiskTicks(4, 8, 10, 11))


def test_diskstats_of_an_old_partition_has_no_times() -> None:
    assert diskstats.parse("8 1 sda1 1 2 3 4\n")["sda1"] == diskstats.DiskCounters(1, 2, 3, 4, None)


def test_a_partition_knows_its_disk_also_with_a_slash_in_the_name() -> None:
    device = block.parse("cciss!c0d0p1", "../../devices/pci/block/cciss!c0d0/cciss!c0d0p1", is_partition=True)
    assert (device.name, device.parent) == ("cciss/c0d0p1", "cciss/c0d0")


def test_pressure_that_is_switched_off_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Tree, name: str) -> str:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported", name)

    monkeypatch.setattr(Tree, "short_lines", refuse)
    with pytest.raises(OSError, match="not supported"):
        pressure.read(Tree("/proc"))


def hand_out(monkeypatch: pytest.MonkeyPatch, *pages: bytes) -> None:
    """os.pread as of a seq_file: one page a call, whatever is asked for."""
    starts = {sum(map(len, pages[:number])): page for number, page in enumerate(pages)}
    monkeypatch.setattr(os, "pread", lambda handle, size, offset: starts.get(offset, b"")[:size])


def test_a_file_of_short_lines_is_read_over_all_its_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "diskstats").touch()
    tree, pages = Tree(str(tmp_path)), (b"x" * 4000, b"y" * 2100, b"z" * 9)
    hand_out(monkeypatch, *pages)
    assert tree.short_lines("diskstats") == b"".join(pages).decode()


def test_a_long_line_behind_a_short_page_is_not_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mountinfo has a line for an overlay that is longer than half a page."""
    (tmp_path / "mountinfo").touch()
    tree, pages = Tree(str(tmp_path)), (b"x" * 900, b"y" * 4000)
    hand_out(monkeypatch, *pages)
    assert tree.text("mountinfo") == b"".join(pages).decode()


@pytest.mark.parametrize("before", [0, 60, 132, 150, 200])
def test_swapped_pages_are_found_wherever_they_stand(tmp_path: Path, before: int) -> None:
    """132: the first half page ends inside the number of pswpout."""
    counts = "pswpin 1234567\npswpout 7654321\n"
    (tmp_path / "vmstat").write_text("nr_free_pages 1\n" * (before - 6) + "x" * 4 + "\n" + counts + "nr 1\n" * 500)
    assert vmstat.read(Tree(str(tmp_path))) == vmstat.Vmstat(1234567, 7654321)


def test_a_process_name_may_hold_spaces_and_parentheses() -> None:
    fields = " ".join(map(str, range(4, 26)))
    parsed = processes.parse(f"77 (a) b (c)) S {fields}\n")
    assert (parsed.pid, parsed.name, parsed.cpu_ticks, parsed.start) == (77, "a) b (c)", 14 + 15, 22)


def test_bind_mounts_overlays_and_pseudo_filesystems_are_left_out() -> None:
    mounts = filesystems.parse(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "2 1 8:1 /srv /mnt/bind rw - ext4 /dev/sda1 rw\n"
        "3 1 0:5 / /proc rw - proc proc rw\n"
        "4 1 0:9 / /var/lib/x rw - overlay overlay rw\n"
        "5 1 8:2 / /a\\040b rw shared:1 master:2 - xfs /dev/sdb1 rw\n"
    )
    assert [mount.point for mount in filesystems.worth_watching(mounts)] == ["/", "/a b"]


def test_a_mount_that_hangs_is_left_out_and_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    release = threading.Event()
    asked: list[str] = []

    def hang(path: str) -> Any:
        asked.append(path)
        release.wait(10)
        raise OSError

    monkeypatch.setattr(os, "statvfs", hang)
    monkeypatch.setattr(filesystems, "STATVFS_SECONDS", 0.05)
    workers = filesystems._Workers()
    assert workers.statvfs("/dead") is None
    assert workers.statvfs("/dead") is None
    assert asked == ["/dead"]
    release.set()


def test_names_of_any_bytes_become_text_for_a_cell(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"a\xff\x01b\n")
    name = clean_name(read_text(str(tmp_path / "f")))
    assert name.isprintable()
    assert name.startswith("a\\xff\\")


def test_the_kind_of_an_interface_is_its_devtype() -> None:
    assert interfaces.parse_kind("DEVTYPE=bridge\nINTERFACE=br0\n") == "bridge"
    assert interfaces.parse_kind("INTERFACE=eth0\n") == ""
