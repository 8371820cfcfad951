"""What `python -m reports` can be asked for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from reports import drawing


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reports", description="A performance report from exported files.")
    parser.add_argument(
        "exports",
        nargs="+",
        type=Path,
        metavar="EXPORT",
        help="CSV or Parquet: system, and disks, interfaces, filesystems; events; or an agent's spool",
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one HTML file")
    parser.add_argument("--pdf", type=Path, metavar="FILE", help="write a PDF, A4")
    parser.add_argument("--title", help="title of the report")
    parser.add_argument(
        "--timezone", type=_zone, default=ZoneInfo("UTC"), help="IANA name such as Europe/Berlin; default UTC"
    )
    parser.add_argument(
        "--period", type=_period, metavar="START..END", help="what was asked for: what it lacks at its ends are gaps"
    )
    parser.add_argument(
        "--absent", action="append", default=[], metavar="MACHINE", help="one that has no samples at all, repeatable"
    )
    parser.add_argument("--brand-name", default="", metavar="NAME", help="whose report it is")
    parser.add_argument("--brand-colour", default="", metavar="#RRGGBB", help="of headings and lines")
    parser.add_argument("--logo", type=Path, metavar="FILE", help="a PNG for the first page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the findings for machines to read")
    parser.add_argument("--chart", nargs=2, metavar=("NAME", "FILE"), help="write one chart as .svg or .png")
    parser.add_argument(
        "--before", type=_period, metavar="START..END", help="compare this period, as 2026-01-05..2026-01-12"
    )
    parser.add_argument("--after", type=_period, metavar="START..END", help="with this one; both by weekday and hour")
    parser.add_argument(
        "--price",
        type=_price,
        action="append",
        default=[],
        metavar="MACHINE=PRICE",
        help="price of an hour, repeatable",
    )
    options = parser.parse_args(arguments)
    if not any((options.html, options.pdf, options.json, options.chart)):
        parser.error("give --html FILE, --pdf FILE, --json FILE or --chart NAME FILE")
    if bool(options.before) != bool(options.after):
        parser.error("--before and --after go together")
    if options.chart and Path(options.chart[1]).suffix not in drawing.KINDS:
        parser.error("--chart writes .svg or .png")
    return options


def _period(text: str) -> tuple[datetime, datetime]:
    """`2026-01-05..2026-01-12`: the end is left out. Times may follow the dates."""
    try:
        start, end = (datetime.fromisoformat(part) for part in text.split(".."))
    except ValueError:
        start = end = datetime.min
    if not start.replace(tzinfo=None) < end.replace(tzinfo=None):
        raise argparse.ArgumentTypeError(f"{text!r} is no period; write START..END, as 2026-01-05..2026-01-12")
    return start, end


def _price(text: str) -> tuple[str, float]:
    machine, _, price = text.rpartition("=")
    try:
        found = float(price)
    except ValueError:
        found = 0.0
    if not machine or not 0 < found < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is no price; write MACHINE=PRICE, as web-01=0.12")
    return machine, found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{name!r} is no time zone; give an IANA name such as Europe/Berlin") from None
