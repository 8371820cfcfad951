"""`python -m reports EXPORT.csv … --html OUT --pdf OUT`: a report from exported files alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from reports import as_json, brand, build, drawing, html, pdf, table
from reports.comparison import Period
from reports.document import Document
from reports.options import parse
from reports.wording import Clock


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when the report was written, 2 when the input or an option is wrong; the reason goes to standard error."""
    options = parse(arguments)
    try:
        return _write(options)
    except OSError as error:
        return _fail(f"{error.filename} cannot be written: {error.strerror}.")


def _write(options: argparse.Namespace) -> int:
    try:
        own = brand.make(options.brand_name, options.brand_colour, options.logo)
        document = _document(options)
    except table.ExportError as error:
        return _fail(str(error))
    if options.chart and options.chart[0] not in document.figures():
        return _fail(f"there is no chart {options.chart[0]!r}; there are: {', '.join(document.figures())}.")
    drawings = drawing.draw(document)
    if options.html:
        _replace(options.html, html.render(document, drawings, own).encode())
    if options.pdf:
        _replace(options.pdf, pdf.render(document, drawings, own))
    if options.json:
        _replace(options.json, as_json.render(document).encode())
    if options.chart:
        name, path = options.chart
        _replace(Path(path), drawing.alone(document.figures()[name], Path(path).suffix))
    return 0


def _document(options: argparse.Namespace) -> Document:
    """The samples are let go before anything is drawn: they and a PDF of a hundred machines need not fit together."""
    extras = build.Extras(_periods(options), dict(options.price))
    return build.build(_read(options), Clock(options.timezone), options.title, extras)


def _read(options: argparse.Namespace) -> table.Export:
    period = _milliseconds(options.period, options.timezone) if options.period else None
    export = table.read(options.exports, period)
    absent = [f"No samples at all of {table.show(name)} in this period." for name in options.absent]
    return replace(export, notes=(*absent, *export.notes))


def _periods(options: argparse.Namespace) -> tuple[Period, Period] | None:
    if not options.before:
        return None
    before, after = (Period(*_milliseconds(period, options.timezone)) for period in (options.before, options.after))
    return before, after


def _milliseconds(period: tuple[datetime, datetime], zone: ZoneInfo) -> tuple[int, int]:
    start, end = (_moment(moment, zone) for moment in period)
    return start, end


def _moment(moment: datetime, zone: ZoneInfo) -> int:
    """Milliseconds since the epoch; a time without offset is meant in the report's zone."""
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000)


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename: a failed run leaves the former file whole."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(content)
    beside.replace(path)


def _fail(sentence: str) -> int:
    print(f"reports: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
