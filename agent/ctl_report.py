"""`ctl report`: ask the portal for a report, wait until it is made, and save its files."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import time
from typing import Any
from urllib.parse import quote

from agent import ctl_table
from agent.ctl_client import Client, RefusedError, connect

FORMS = {"html": "html", "pdf": "pdf", "findings": "json"}
"""Option -> form of the file."""
POLL_SECONDS = 2.0
_PIECE_BYTES = 1 << 16


def add_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--start", required=True, metavar="DATE", help="YYYY-MM-DD in UTC, or an instant (RFC 3339)")
    sub.add_argument("--end", required=True, metavar="DATE", help="a date is included, an instant is not")
    sub.add_argument("--machine-id", action="append", default=[], help="may be given again; all machines without it")
    sub.add_argument("--title", default="")
    sub.add_argument("--timezone", default="UTC", help="IANA name, as Europe/Berlin")
    for option, form in FORMS.items():
        sub.add_argument(f"--{option}", metavar="FILE", help=f"save it as {form.upper()}; - is standard output")
    sub.add_argument("--wait", type=float, default=900.0, metavar="SECONDS", help="then give up; the report goes on")


def run(options: argparse.Namespace) -> Any:
    """The report as the portal describes it, when it is made and its files are saved. RefusedError when it failed."""
    client = connect(os.environ, options.url, as_machine=False)
    order = {
        "title": options.title,
        "machine_ids": options.machine_id,
        "start": instant(options.start),
        "end": instant(options.end, last=True),
        "time_zone": options.timezone,
    }
    report = _wait(client, client.ask("POST", "reports", order), options.wait)
    for option, form in FORMS.items():
        target = getattr(options, option)
        if target:
            _save(client, f"{_path(report)}/report.{form}", target)
    return report


def instant(text: str, last: bool = False) -> str:
    """A date as the instant at which it begins, or ends when it is the last one; the portal judges anything else."""
    try:
        day = datetime.date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return text
    if day is None:
        return text
    return f"{day + datetime.timedelta(days=1) if last else day}T00:00:00Z"


def _wait(client: Client, report: Any, seconds: float) -> Any:
    """Tells its progress as it changes."""
    told = ""
    deadline = time.monotonic() + seconds
    while report["state"] not in ("done", "failed"):
        if time.monotonic() > deadline:
            raise RefusedError("WAITED", f"Report {report['id']} is still {report['state']}; it goes on in the portal.")
        now = f"{report['state']}: {report['progress']}" if report["progress"] else report["state"]
        if now != told:
            print(f"Report {ctl_table.clean(report['id'])} is {ctl_table.clean(now)}", file=sys.stderr)
            told = now
        time.sleep(POLL_SECONDS)
        report = _ask(client, report)
    if report["state"] == "failed":
        raise RefusedError("FAILED", f"The report could not be made: {ctl_table.clean(report['progress'])}")
    return report


def _path(report: Any) -> str:
    return f"reports/{quote(str(report['id']), safe='')}"


def _ask(client: Client, report: Any) -> Any:
    """As it is now, or as it was when the portal is asked too often."""
    try:
        return client.ask("GET", _path(report))
    except RefusedError as error:
        if error.code != "RATE_001":
            raise
        time.sleep(error.retry_after or POLL_SECONDS)
        return report


def _save(client: Client, path: str, target: str) -> None:
    with client.open("GET", path, {}) as response, ctl_table.binary_output(target) as write:
        while True:
            piece = response.read(_PIECE_BYTES)
            if not piece:
                break
            write(piece)
