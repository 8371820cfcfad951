"""The CSV batch format: what the agent writes, the portal reads and an export is made of.

One file holds one dataset: a header line, then a row a sample. RFC 4180, UTF-8, LF or CRLF. `timestamp` is RFC 3339
with an offset or Unix seconds; an empty cell is a value that was not measured; an array is `12.5;3;0`.
Standard library only and Python 3.9+, because the agent ships this file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, Callable, Dict, Iterator, List, Mapping, Match, Optional, Sequence, Tuple

from core.catalogue import Dataset, Metric

MAX_PROBLEMS = 20
MAX_COLUMNS = 1000
MAX_ROWS = 500_000
"""Of one file read at once: a row of two cells takes fifty times its bytes while it is read."""
MAX_TEXT_BYTES = 1024
"""Of one text cell; an index entry of PostgreSQL holds at most 2,704 bytes."""

MAX_KNOWN_HEADER = 4096
"""Characters of a header that is worth remembering."""
FEW_ROWS = 100

NUMBER = re.compile(r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,2})?", re.ASCII)
_PLAIN = re.compile(r"\d{1,15}(?:\.\d{0,19})?", re.ASCII)
_PLAIN_CELLS = re.compile(rf"(?:{_PLAIN.pattern},)*", re.ASCII)
"""Asked how far it reaches, not whether it fits the whole: so it never looks at a cell twice."""
_UNIX = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
SMALLEST = 1e-20
"""What is nearer to 0 is 0: nothing measured is so small, a 4-byte float may not hold it, nor NUMBER its decimals."""
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

Window = Tuple[datetime, datetime]


@dataclass(frozen=True)
class Problem:
    """One cell or row that cannot be stored. `line` counts from 1, the header included."""

    line: int
    column: str
    value: str
    reason: str


class BatchError(Exception):
    """A file that is refused. kind: empty, missing_column, bad_value, too_large, encoding, out_of_window, truncated."""

    def __init__(self, kind: str, sentence: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence
        self.problems = tuple(problems)


class OutOfWindowError(ValueError):
    """A good timestamp that lies outside what is kept."""


@dataclass(frozen=True)
class Table:
    """Samples of one dataset, a list a column, all of one length.

    `timestamp` holds aware datetimes in UTC, real columns float or None, real[] columns a list of floats or None,
    text columns str or None. `machine_id` and metric columns may be absent.
    """

    dataset: Dataset
    columns: Mapping[str, List[Any]]

    def __len__(self) -> int:
        return len(self.columns["timestamp"])


@dataclass
class Decoded:
    """A file read: its good rows, what was ignored, and (with `skip_bad`) the rows left out."""

    table: Table
    warnings: List[str] = field(default_factory=list)
    problems: List[Problem] = field(default_factory=list)
    skipped: int = 0


def format_timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, with a fraction only where there is one: `2026-01-05T12:00:00Z`."""
    return moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


def format_number(value: float) -> str:
    """Seven significant digits (all that a 4-byte float is good for), never an exponent."""
    text = format(_without_dust(value), ".7g")
    return format(Decimal(text), "f") if "e" in text else text


def _without_dust(value: float) -> float:
    """0 (never -0) for what is too near to 0."""
    return 0.0 if abs(value) < SMALLEST else value


def escape_text(text: str) -> str:
    """A leading quote for a text that a spreadsheet would run as a formula; `unescape_text` undoes it exactly."""
    return "'" + text if text.lstrip("'").startswith(_FORMULA) else text


def unescape_text(text: str) -> str:
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def clean_text(raw: bytes) -> str:
    """Any bytes (a host, device or mount name) as text that a cell may hold.

    Bytes that are not UTF-8 and control characters become `\\xff` or `\\u2028`; a text that is too long is cut and ends
    with a part of its SHA-256, so that two long mount points of one folder stay two.
    """
    text = _CONTROL.sub(_escape_control, raw.decode("utf-8", "backslashreplace"))
    if len(text.encode()) <= MAX_TEXT_BYTES:
        return text
    mark = "…" + hashlib.sha256(raw).hexdigest()[:16]
    return text.encode()[: MAX_TEXT_BYTES - len(mark.encode())].decode("utf-8", "ignore") + mark


def _escape_control(match: Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _format_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_timestamp(value)
    if isinstance(value, str):
        return escape_text(value)
    if isinstance(value, list):
        return ";".join(map(format_number, value))
    return str(value) if isinstance(value, int) else format_number(value)


def encode(table: Table) -> str:
    """The table as CSV text, columns in the table's order, LF line ends."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_format_cell(cell) for cell in row] for row in zip(*table.columns.values()))
    return text.getvalue()


def parse_timestamp(text: str) -> datetime:
    """RFC 3339 with an offset, or Unix seconds, to an aware datetime in UTC; ValueError says what is wrong."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        if _UNIX.fullmatch(text):
            return _from_unix(text)
        raise ValueError("is neither RFC 3339 with an offset (2026-01-05T12:00:00Z) nor Unix seconds")
    year, month, day, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
    micros = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), micros, tzinfo=timezone.utc
        )
    except ValueError as error:
        raise ValueError(f"is no moment in time: {error}") from None
    if sign is None:
        return moment
    if int(off_hours) > 23 or int(off_minutes) > 59:
        raise ValueError("has an offset that does not exist")
    offset = timedelta(hours=int(off_hours), minutes=int(off_minutes))
    try:
        return moment - offset if sign == "+" else moment + offset
    except OverflowError:
        raise ValueError("is outside the calendar") from None


def _from_unix(text: str) -> datetime:
    seconds, _, fraction = text.partition(".")
    try:
        return _EPOCH + timedelta(seconds=int(seconds), microseconds=int((fraction or "0")[:6].ljust(6, "0")))
    except OverflowError:
        raise ValueError("is outside the calendar") from None


def parse_number(text: str, metric: Metric) -> float:
    """A plain decimal inside the metric's range; ValueError says what is wrong. No NaN, infinity or underscore."""
    if not NUMBER.fullmatch(text):
        raise ValueError("is not a plain decimal number")
    value = float(text)
    if not metric.minimum <= value <= metric.maximum:
        raise ValueError(f"is outside {metric.minimum:g} to {metric.maximum:g} {metric.unit}".rstrip())
    return _without_dust(value)


def parse_text(text: str) -> str:
    """A text cell without its export quote; ValueError for control characters and for more than 1,024 bytes."""
    text = unescape_text(text)
    if _CONTROL.search(text):
        raise ValueError("has a control character")
    if len(text) * 4 > MAX_TEXT_BYTES and len(text.encode()) > MAX_TEXT_BYTES:
        raise ValueError(f"is longer than {MAX_TEXT_BYTES} bytes")
    return text


def _parse_numbers(text: str, metric: Metric) -> List[float]:
    return [parse_number(part, metric) for part in text.split(";")]


def _parse_integer(text: str) -> int:
    if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise ValueError("is not a whole number")
    return int(text)


def _trimmed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text.strip(" "))


def _required(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse_cell(text: str) -> Any:
        if not text:
            raise ValueError("is empty")
        return parse(text)

    return parse_cell


def _in_window(window: Optional[Window]) -> Callable[[str], datetime]:
    if window is None:
        return parse_timestamp
    earliest, latest = window

    def parse_cell(text: str) -> datetime:
        moment = parse_timestamp(text)
        if moment < earliest:
            raise OutOfWindowError(f"is before {format_timestamp(earliest)}, the start of what is kept")
        if moment > latest:
            raise OutOfWindowError(f"is after {format_timestamp(latest)}, in the future")
        return moment

    return parse_cell


@dataclass(frozen=True)
class Column:
    """How one column of the file is read: its name in the table, and the function that reads a cell."""

    name: str
    parse: Callable[[str], Any]
    metric: Optional[Metric] = None
    factor: float = 1.0

    @cached_property
    def is_number(self) -> bool:
        return self.metric is not None and self.metric.is_number

    def holds(self, numbers: Sequence[float]) -> bool:
        """Whether all are in range."""
        metric = self.metric
        return metric is not None and (
            not numbers or (metric.minimum <= min(numbers) and max(numbers) <= metric.maximum)
        )


_TIMESTAMP = Column("timestamp", parse_timestamp)
"""Stands for the column that depends on the window of an upload."""


def decode(
    dataset: Dataset, data: bytes, *, window: Optional[Window] = None, skip_bad: bool = False, lines_before: int = 0
) -> Decoded:
    """Read a whole CSV file; raises BatchError when it is refused.

    window: earliest and latest timestamp allowed. skip_bad: leave bad rows out and list them, instead of refusing all.
    lines_before: of a piece of a larger file, how many lines it has between the header and this piece.
    """
    header, rows, lines = _split(_text(data, lines_before), lines_before)
    columns, warnings = resolve_header(dataset, header, window)
    reading = _Reading(skip_bad)
    rows, lines = reading.even_rows(rows, lines, header, ends_whole=data.endswith((b"\n", b"\r")))
    cells = list(zip(*rows)) if rows else [()] * len(header)
    plain = _plain_numbers(columns, cells) if len(rows) <= FEW_ROWS else {}
    values = {
        column.name: plain[index] if index in plain else reading.column(column, header[index], cells[index], lines)
        for index, column in enumerate(columns)
        if column is not None
    }
    reading.refuse()
    table = Table(dataset, reading.without_bad_rows(values))
    if not len(table):
        raise BatchError("empty", "The file has a header but no rows that can be stored.", reading.problems)
    return Decoded(table, warnings, reading.problems, reading.skipped)


def _text(data: bytes, lines_before: int) -> str:
    if not data.strip():
        raise BatchError("empty", "The file is empty.")
    if b"\0" in data:
        raise BatchError("encoding", f"Line {lines_before + _line_of(data, data.index(0))} has a NUL byte.")
    lone = re.search(rb"\r(?!\n)", data)
    if lone:
        raise BatchError(
            "encoding", f"Line {lines_before + _line_of(data, lone.start())} has a carriage return without a line feed."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BatchError("encoding", f"Line {lines_before + _line_of(data, error.start)} is not valid UTF-8.") from None


def _line_of(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _split(text: str, lines_before: int) -> Tuple[List[str], List[List[str]], List[int]]:
    """Header cells, rows, and the line each row ends on; blank lines are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: List[List[str]] = []
    lines: List[int] = []
    read = 0
    try:
        for row in reader:
            read = reader.line_num
            if row:
                rows.append(row)
                lines.append(lines_before + read)
            if len(rows) > MAX_ROWS:
                raise BatchError("too_large", f"The file has more than {MAX_ROWS:,} rows; split it.")
    except csv.Error as error:
        kind = "truncated" if "unexpected end" in str(error) else "bad_value"
        reason = "a quote is opened and never closed" if kind == "truncated" else str(error)
        raise BatchError(kind, f"Line {lines_before + read + 1} is not CSV: {reason}.") from None
    if not rows:
        raise BatchError("empty", "The file is empty.")
    header = [cell.strip().lower() for cell in rows[0]]
    return header, rows[1:], lines[1:]


def resolve_header(
    dataset: Dataset, header: Sequence[str], window: Optional[Window]
) -> Tuple[List[Optional[Column]], List[str]]:
    """A column for each header cell (in lower case, trimmed), None for an unknown one; and warnings for people."""
    timestamp = Column("timestamp", _trimmed(_required(_in_window(window))))
    if sum(map(len, header)) > MAX_KNOWN_HEADER:
        columns, warnings = _resolve(dataset, header)
    else:
        columns, warnings = _resolve_known(_Same(dataset), tuple(header))
    return [timestamp if column is _TIMESTAMP else column for column in columns], list(warnings)


class _Same:
    """A dataset as a key by its identity: it is immutable, and too large to be hashed for every file."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.dataset is other.dataset

    def __hash__(self) -> int:
        return hash(self.dataset.name)


@lru_cache(maxsize=128)
def _resolve_known(dataset: _Same, header: Tuple[str, ...]) -> Tuple[List[Optional[Column]], List[str]]:
    """A machine sends the same header every time."""
    return _resolve(dataset.dataset, header)


def _resolve(dataset: Dataset, header: Sequence[str]) -> Tuple[List[Optional[Column]], List[str]]:
    known = _known_columns(_Same(dataset))
    columns = [known.get(name) for name in header]
    names = [column.name for column in columns if column is not None]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise BatchError("bad_value", f"The header names {', '.join(twice)} more than once (aliases count).")
    needed = ["timestamp"] + ([dataset.instance] if dataset.instance else [])
    missing = [name for name in needed if name not in names]
    if missing:
        raise BatchError("missing_column", f"The header has no column {' and no column '.join(missing)}.")
    if not set(names) & set(dataset.metric_names):
        raise BatchError("missing_column", f"The header has no metric of the dataset {dataset.name}.")
    if len(header) > MAX_COLUMNS:
        raise BatchError("bad_value", f"The header has {len(header)} columns, more than {MAX_COLUMNS}.")
    unknown = [name for name, column in zip(header, columns) if column is None]
    named = set(names)
    absent = [name for name in dataset.metric_names if name not in named]
    warnings = [f"Unknown column ignored: {name[:80]}" for name in unknown[:MAX_PROBLEMS]]
    if len(unknown) > MAX_PROBLEMS:
        warnings.append(f"… and {len(unknown) - MAX_PROBLEMS} more unknown columns ignored")
    if absent:
        warnings.append("Missing columns stored empty: " + ", ".join(absent))
    return columns, warnings


@lru_cache(maxsize=16)
def _known_columns(dataset: _Same) -> Mapping[str, Column]:
    """Every header name that this dataset understands, aliases included."""
    return _make_columns(dataset.dataset)


def _make_columns(dataset: Dataset) -> Mapping[str, Column]:
    known = {"timestamp": _TIMESTAMP}
    known["machine_id"] = known["hostname"] = Column("machine_id", _trimmed(_required(parse_text)))
    if dataset.instance:
        integer = dataset.instance_dtype == "bigint"
        parse = _trimmed(_required(_parse_integer)) if integer else _required(parse_text)
        known[dataset.instance] = Column(dataset.instance, parse)
    for metric in dataset.metrics:
        known[metric.name] = Column(metric.name, _parser(metric), metric)
        for alias in metric.aliases:
            known[alias.name] = Column(metric.name, _parser(metric, alias.factor), metric, alias.factor)
    return known


def _parser(metric: Metric, factor: float = 1.0) -> Callable[[str], Any]:
    """A text cell is read as it stands, spaces too; around numbers they mean nothing."""
    if metric.dtype == "text":
        return lambda text: parse_text(text) if text else None
    if metric.dtype == "real[]":
        return _trimmed(lambda text: _parse_numbers(text, metric) if text else None)
    return _trimmed(lambda text: _without_dust(parse_number(text, metric) * factor) if text else None)


class _Reading:
    """Collects what is wrong while the columns are read."""

    def __init__(self, skip_bad: bool) -> None:
        self.skip_bad = skip_bad
        self.problems: List[Problem] = []
        self.bad_rows: set[int] = set()
        self.skipped = 0
        self.only_out_of_window = True
        self.count = 0

    def add(self, problem: Problem, out_of_window: bool = False) -> None:
        self.count += 1
        self.only_out_of_window &= out_of_window
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def even_rows(
        self, rows: List[List[str]], lines: List[int], header: Sequence[str], *, ends_whole: bool
    ) -> Tuple[List[List[str]], List[int]]:
        """Rows as wide as the header; the others are problems, a short unfinished last row is a truncated file."""
        width = len(header)
        if rows and len(rows[-1]) < width and not ends_whole:
            raise BatchError("truncated", f"Line {lines[-1]} breaks off: the file is truncated.")
        uneven = [index for index, row in enumerate(rows) if len(row) != width]
        for index in uneven:
            self.add(Problem(lines[index], "", "", f"has {len(rows[index])} cells, the header has {width}"))
        self.skipped += len(uneven)
        if not uneven:
            return rows, lines
        wrong = set(uneven)
        good = [index for index in range(len(rows)) if index not in wrong]
        return [rows[index] for index in good], [lines[index] for index in good]

    def column(self, column: Column, header: str, cells: Sequence[str], lines: Sequence[int]) -> List[Any]:
        fast = _fast_numbers(column, cells)
        return fast if fast is not None else list(self._cells(column, header, cells, lines))

    def _cells(self, column: Column, header: str, cells: Sequence[str], lines: Sequence[int]) -> Iterator[Any]:
        for index, cell in enumerate(cells):
            try:
                yield column.parse(cell)
            except ValueError as error:
                self.add(Problem(lines[index], header, cell[:80], str(error)), isinstance(error, OutOfWindowError))
                self.bad_rows.add(index)
                yield None

    def refuse(self) -> None:
        self.problems.sort(key=lambda problem: problem.line)
        if not self.count or self.skip_bad:
            return
        kind = "out_of_window" if self.only_out_of_window else "bad_value"
        first = self.problems[0]
        where = f"line {first.line}" + (f", column {first.column}" if first.column else "")
        more = f" ({self.count - 1} more problems)" if self.count > 1 else ""
        value = f"{first.value!r} " if first.column else "the row "
        raise BatchError(kind, f"In {where}: {value}{first.reason}{more}.", self.problems)

    def without_bad_rows(self, values: Mapping[str, List[Any]]) -> Mapping[str, List[Any]]:
        if not self.bad_rows:
            return values
        self.skipped += len(self.bad_rows)
        good = [index for index in range(len(values["timestamp"])) if index not in self.bad_rows]
        return {name: [column[index] for index in good] for name, column in values.items()}


def _fast_numbers(column: Column, cells: Sequence[str]) -> Optional[List[Any]]:
    """A whole numeric column at once when every cell is digits and a point, in range, or empty; else None."""
    if not column.is_number:
        return None
    filled = [cell for cell in cells if cell]
    if not all(map(_PLAIN.fullmatch, filled)):
        return None
    numbers = list(map(float, filled))
    if not column.holds(numbers):
        return None
    if column.factor != 1.0:
        numbers = [_without_dust(number * column.factor) for number in numbers]
    if len(numbers) == len(cells):
        return numbers
    remaining = iter(numbers)
    return [next(remaining) if cell else None for cell in cells]


def _plain_numbers(columns: Sequence[Optional[Column]], cells: Sequence[Sequence[str]]) -> Dict[int, List[float]]:
    """Of a short file every numeric column that is filled, plain and in range, by its place; all looked at together.

    For a few rows, asking column by column costs twice as much.
    """
    full = [
        (index, column)
        for index, column in enumerate(columns)
        if column is not None and column.is_number and column.factor == 1.0 and "" not in cells[index]
    ]
    flat = list(itertools.chain.from_iterable(cells[index] for index, _ in full))
    text = ",".join([*flat, ""])
    plain = _PLAIN_CELLS.match(text)
    if plain is None or plain.end() < len(text) or text.count(",") > len(flat):  # a quoted cell may hold a comma
        return {}
    numbers, height = list(map(float, flat)), len(cells[0])
    found = {index: numbers[at * height : (at + 1) * height] for at, (index, _) in enumerate(full)}
    return {index: found[index] for index, column in full if column.holds(found[index])}
