"""Six hours of a machine nine days ago in the running portal: cores, a disk, processes, a gap with its reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from tests.live.portal import RunningPortal

MINUTE = timedelta(minutes=1)
HOURS = 6
GAP = (120, 150)
"""Minutes without samples: the machine was rebooted."""


def begin() -> datetime:
    """The whole hour nine days ago at which the samples begin: no other test of the portal writes there."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=9)


def store(portal: RunningPortal, partner: str) -> datetime:
    """Returns when the six hours begin."""
    start = begin()
    parts = {"file": _system(start), "disks": _disks(start), "filesystems": _filesystems(start),
             "processes": _processes(start), "events": _events(start)}  # fmt: skip
    boundary = "seven-dwarfs"
    body = "".join(_part(boundary, name, text) for name, text in parts.items()) + f"--{boundary}--\r\n"
    answer = portal.upload(partner, body.encode(), Content_Type=f"multipart/form-data; boundary={boundary}")
    assert answer.status in (200, 201), answer.body
    return start


def _part(boundary: str, name: str, text: str) -> str:
    file = "" if name == "events" else f'; filename="{name}.csv"'
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{text}\r\n'


def _minutes() -> list[int]:
    return [minute for minute in range(HOURS * 60) if not GAP[0] <= minute < GAP[1]]


def _csv(head: str, lines: list[str]) -> str:
    return "\n".join([head, *lines, ""])


def _system(start: datetime) -> str:
    """CPU user is the minute's number within its hour, so that a test knows what a chart must say."""
    lines = [
        f"{(start + MINUTE * minute).isoformat()},{minute % 60},{100 - minute % 60},{minute % 60};5;95;0,1000,2000"
        for minute in _minutes()
    ]
    return _csv("timestamp,cpu_user,cpu_idle,cpu_cores,mem_used_mb,mem_total_mb", lines)


def _disks(start: datetime) -> str:
    lines = [f"{(start + MINUTE * minute).isoformat()},sda,{minute % 7},1" for minute in _minutes()]
    return _csv("timestamp,device,read_mb,write_mb", lines)


def _filesystems(start: datetime) -> str:
    """A mount whose name is longer than a phone is wide."""
    mount = "/srv/" + "postgresql-backups-" * 4
    lines = [
        f"{(start + MINUTE * minute).isoformat()},{mount},{minute},{1000 - minute},1000,{minute / 10},3.5"
        for minute in _minutes() if minute % 10 == 0
    ]  # fmt: skip
    return _csv("timestamp,mount,used_mb,available_mb,total_mb,used_percent,inodes_used_percent", lines)


def _processes(start: datetime) -> str:
    lines = [
        f"{(start + MINUTE * minute).isoformat()},{pid},{name},root,{cpu},10"
        for minute in _minutes() if minute % 10 == 0
        for pid, name, cpu in ((1, "init", 0.1), (77, f"job-{minute}", 90))
    ]  # fmt: skip
    return _csv("timestamp,pid,name,user,cpu,rss_mb", lines)


def _events(start: datetime) -> str:
    since, until = (start + MINUTE * minute for minute in (GAP[0] - 1, GAP[1]))
    event = {
        "kind": "host_down",
        "since": since.isoformat(),
        "until": until.isoformat(),
        "detail": "the machine was rebooted",
    }
    return json.dumps([event])
