"""`import-sar`: the history that sysstat has of this machine, into the catalogue's columns.

Exit codes: 0 done; 1 something was not sent, run it again; 2 wrong settings or usage, or history that cannot be read.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Optional

from core.batch import parse_timestamp
from core.catalogue import DATASETS

from agent import config, ending, rows
from agent.config import Config
from agent.journal import Lines
from agent.readers.block import BlockTree
from agent.readers.interfaces import InterfaceTree
from agent.sar_columns import Machine, datasets
from agent.sar_reading import Host, SarError, find_history, open_json, records, timestamp
from agent.sar_upload import Importer

BATCH_SAMPLES = 500


class Sample(NamedTuple):
    timestamp: str
    lines: Lines


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    return ending.of(lambda: _import(options, config.load(os.environ)), {SarError: 2})


def _import(options: argparse.Namespace, settings: Config) -> int:
    machine_id = options.machine_id or settings.machine_id
    paths = options.files or find_history()
    if not paths:
        return ending.say(
            "There is no history in /var/log/sysstat or /var/log/sa: name its files, or enable sysstat.", 2
        )
    samples = _samples(paths, options, machine_id)
    return _upload(samples, settings) if options.upload else _print(samples, options.dataset)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="perfagent import-sar", description="Reads the history that sysstat has.")
    top.add_argument(
        "files", nargs="*", metavar="FILE", help="sa files, or the output of sadf -j (- is standard input)"
    )
    what = top.add_mutually_exclusive_group()
    what.add_argument("--upload", action="store_true", help="to the portal; in batches named import-…")
    what.add_argument("--dataset", choices=("system", "disks", "interfaces"), default="system", help="what is printed")
    top.add_argument("--machine-id", default="", help="instead of this machine's")
    top.add_argument("--since", type=_moment, metavar="TIME", help="RFC 3339, as 2026-01-05T00:00:00Z")
    top.add_argument("--until", type=_moment, metavar="TIME", help="not included")
    top.add_argument("--sadf", default="sadf", metavar="PROGRAM", help="another sadf")
    return top


def _moment(text: str) -> datetime:
    try:
        return parse_timestamp(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def _samples(paths: Iterable[str], options: argparse.Namespace, machine_id: str) -> Iterator[Sample]:
    for path in paths:
        with open_json(path, options.sadf) as text:
            for host, record in records(text, path):
                moment = timestamp(record)
                if moment is not None and _is_wanted(parse_timestamp(moment), options.since, options.until):
                    found = datasets(record, _machine_of(host))
                    yield Sample(moment, rows.lines(found, moment, machine_id))


def _is_wanted(moment: datetime, since: Optional[datetime], until: Optional[datetime]) -> bool:
    return (since is None or moment >= since) and (until is None or moment < until)


_machines: dict[Host, Machine] = {}


def _machine_of(host: Host) -> Machine:
    if host not in _machines:
        _machines[host] = _look_up(host)
    return _machines[host]


def _look_up(host: Host) -> Machine:
    """Of this machine, sysfs knows which disks and interfaces are physical; of another, only names tell."""
    own = os.uname()
    page_bytes = os.sysconf("SC_PAGE_SIZE") if host.machine in ("", own.machine) else 4096
    if host.nodename != own.nodename:
        return Machine(page_bytes)
    try:
        block_devices = BlockTree("/sys").read(os.listdir("/sys/class/block"))
        return Machine(page_bytes, block_devices, InterfaceTree("/sys").read())
    except OSError:
        return Machine(page_bytes)


def _print(samples: Iterator[Sample], dataset: str) -> int:
    print(",".join(DATASETS[dataset].columns))
    count = 0
    for sample in samples:
        count += 1
        for line in sample.lines.get(dataset, ()):
            print(line)
    print(f"perfagent: {count} samples read.", file=sys.stderr)
    return 0


def _upload(samples: Iterator[Sample], settings: Config) -> int:
    config.need_portal(settings)
    importer = Importer(settings)
    try:
        while True:
            part = list(islice(samples, BATCH_SAMPLES))
            if not part:
                break
            if not importer.send([sample.lines for sample in part]):
                return ending.say(f"{importer.failure} {importer.summary()} Run it again: nothing is stored twice.", 1)
            span = f"{part[0].timestamp} to {part[-1].timestamp}"
            print(f"Sent {len(part)} samples, {span}.", flush=True)
    finally:
        importer.close()
    print(importer.summary())
    return 0
