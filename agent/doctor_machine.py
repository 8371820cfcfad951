"""What the doctor finds in the machine: readers that fail, columns that stay empty and why, the sandbox around it."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator, Mapping, Sequence

from core.catalogue import SYSTEM

from agent import clocks, hosting, reading, sample
from agent.config import Config
from agent.doctor_finding import GOOD, NOTE, PROBLEM, Finding
from agent.readers.files import read_text

_READER_OF = {
    "cpu": "stat",
    "load": "loadavg",
    "memory": "meminfo",
    "pressure": "pressure",
    "disk": "diskstats",
    "network": "netdev",
}
_SECONDS_A_DAY = 86_400


def examine(settings: Config) -> Iterator[Finding]:
    yield from _check_sandbox(settings)
    scanner = reading.Scanner(reading.Roots(settings.proc_root, settings.sys_root), settings.processes >= 1)
    first = scanner.take()
    time.sleep(clocks.PRIMING_SECONDS)
    second = scanner.take()
    built = sample.build(first, second, settings.sample_seconds, int(settings.processes))
    yield from check_readers(second.failures)
    yield from check_columns(built.rows.get("system", [{}])[0], second.failures)
    yield describe_sample(sample.lines(built, settings.machine_id), settings.sample_seconds)


def _check_sandbox(settings: Config) -> Iterator[Finding]:
    found = hosting.read(settings.proc_root, settings.sys_root, "", False)
    if found.container and settings.proc_root == "/proc":
        yield Finding(
            NOTE, f"This is a {found.container} container: CPU, memory and disks are the host's, interfaces and "
            "filesystems are the container's.",
            "To watch the host, mount its /proc and /sys and set PERFAGENT_PROC_ROOT and PERFAGENT_SYS_ROOT.",
        )  # fmt: skip
    elif found.container:
        yield Finding(GOOD, f"In a {found.container} container, reading {settings.proc_root} and {settings.sys_root}.")
    if _hides_processes(settings.proc_root):
        yield Finding(
            NOTE, "/proc is mounted with hidepid: processes of other users are not seen.",
            "Mount it without, or give the agent's user the group of the option gid=.",
        )  # fmt: skip


def _hides_processes(proc_root: str) -> bool:
    try:
        lines = read_text(f"{proc_root}/self/mounts").splitlines()
    except OSError:
        return False
    options = [line.split()[3].split(",") for line in lines if line.split()[1:3] == [proc_root, "proc"]]
    return any(option in ("hidepid=1", "hidepid=2", "hidepid=invisible") for group in options for option in group)


def check_readers(failures: Mapping[str, str]) -> Iterator[Finding]:
    for name, reason in sorted(failures.items()):
        if name != "pressure":
            yield Finding(
                PROBLEM, f"The reader {name} fails: {reason}.", "Is the path right, and may this user read it?"
            )
    if not set(failures) - {"pressure"}:
        yield Finding(GOOD, "Every reader works.")


def check_columns(row: Mapping[str, object], failures: Mapping[str, str]) -> Iterator[Finding]:
    """One finding for each group of the catalogue that has empty columns."""
    groups: dict[str, list[str]] = {}
    for metric in SYSTEM.metrics:
        if row.get(metric.name) is None:
            groups.setdefault(metric.group, []).append(metric.name)
    for group, names in groups.items():
        yield Finding(NOTE, f"Empty: {', '.join(names)}. {_reason(group, names, failures)}", _fix(group))


def _reason(group: str, names: Sequence[str], failures: Mapping[str, str]) -> str:
    reader = _READER_OF[group]
    if reader in failures:
        return f"The reader {reader} fails: {failures[reader]}."
    if group == "pressure":
        return "This kernel does not tell pressure (PSI)."
    if list(names) == ["disk_await_ms"]:
        return "There was no disk I/O in that second; that is right."
    if group == "disk":
        return "No disk is seen."
    if group == "network":
        return "No network interface but lo is seen."
    return "This kernel does not tell it."


def _fix(group: str) -> str:
    return "Linux 4.20 or newer with CONFIG_PSI has it; some start with psi=1 only." if group == "pressure" else ""


def describe_sample(lines: Mapping[str, Sequence[str]], seconds: float) -> Finding:
    text = "\n".join(line for members in lines.values() for line in members)
    counts = ", ".join(f"{len(members)} {name}" for name, members in lines.items() if members)
    megabytes = len(gzip.compress(text.encode())) * _SECONDS_A_DAY / seconds / 1_048_576
    size = f"at most {megabytes:.1f} MB a day"
    return Finding(GOOD, f"Would send every {seconds:g} s: {counts} rows; {size}. See: perfagent once --dry-run")
