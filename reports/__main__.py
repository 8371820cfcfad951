"""`python -m reports EXPORT.csv … --html OUT --pdf OUT`: a report from exported files alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from reports import build, drawing, html, pdf, table
from reports.wording import Clock


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the report was written, 2 when the input or an option is wrong; the reason goes to standard error."""
    options = _parse(arguments)
    try:
        return _write(options)
    except OSError as error:
        return _fail(f"{error.filename} cannot be written: {error.strerror}.")


def _write(options: argparse.Namespace) -> int:
    try:
        export = table.read(options.exports)
    except table.ExportError as error:
        return _fail(str(error))
    document = build.build(export, Clock(options.timezone), options.title)
    drawings = drawing.draw(document)
    if options.html:
        _replace(options.html, html.render(document, drawings).encode())
    if options.pdf:
        _replace(options.pdf, pdf.render(document, drawings))
    return 0


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename: a failed run leaves the former file whole."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(content)
    beside.replace(path)


def _fail(sentence: str) -> int:
    print(f"reports: {sentence}", file=sys.stderr)
    return 2


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m reports", description="A performance report from exported CSV files."
    )
    parser.add_argument("exports", nargs="+", type=Path, metavar="EXPORT", help="CSV export: system, disks, interfaces")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one HTML file")
    parser.add_argument("--pdf", type=Path, metavar="FILE", help="write a PDF, A4")
    parser.add_argument("--title", help="title of the report")
    parser.add_argument(
        "--timezone", type=_zone, default=ZoneInfo("UTC"), help="IANA name such as Europe/Berlin; default UTC"
    )
    options = parser.parse_args(arguments)
    if not options.html and not options.pdf:
        parser.error("give --html FILE, --pdf FILE or both")
    return options


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise argparse.ArgumentTypeError(f"{name!r} is no time zone; give an IANA name such as Europe/Berlin") from None


if __name__ == "__main__":
    sys.exit(main())
