"""`process`: CSV files of the batch format, in constant memory.

Exit codes: 0 done; 1 the data are not right, the sentence names file and line; 2 wrong usage, or a file that cannot be
read or written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Optional

from core.batch import Decoded, Problem, Table, decode, format_timestamp
from core.catalogue import DATASETS, Dataset, groups

from agent import ending
from agent.process_reading import DataError, Source, read
from agent.process_resample import parse_interval, resample
from agent.process_sort import Duplicates, Row, sort_rows
from agent.process_split import split
from agent.process_writing import WRITERS, align, as_csv, csv_lines, header_line, output

MAX_SHOWN = 20
_CHUNK_ROWS = 4000


class UsageError(Exception):
    """Options that do not fit together, or do not fit the files."""


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    return ending.of(lambda: int(options.command(options)), {DataError: 1, UsageError: 2})


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="perfagent process", description="Works on CSV files of the batch format.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "validate", validate, "say what the portal would refuse, by file and line", writes=False)
    _add(commands, "merge", merge, "one file out of several, in order of time, each sample once (the first file's)")
    _add(commands, "sort", sort, "in order of time, machine and instance")
    _add(commands, "dedupe", merge, "each sample once, the first; in order of time")
    resampling = _add(commands, "resample", run_resample, "rows of longer intervals, combined as the catalogue says")
    resampling.add_argument("--every", required=True, type=_interval, metavar="30s|5m|1h|1d")
    splitting = _add(commands, "split", run_split, "several files out of one", writes=False)
    splitting.add_argument("--by", required=True, choices=("machine", "instance", "hour", "day", "month"))
    splitting.add_argument("--into", required=True, metavar="FOLDER", help="no file in it is overwritten")
    converting = _add(commands, "convert", convert, "catalogue columns and units out of any aliases; JSON")
    converting.add_argument("--to", default="csv", choices=tuple(WRITERS))
    converting.add_argument("--metrics", default="", help="names or groups, separated by commas; all without it")
    return top


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: object,
    text: str,
    writes: bool = True,
) -> argparse.ArgumentParser:
    sub = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    sub.set_defaults(command=command)
    sub.add_argument("files", nargs="*", default=["-"], metavar="FILE", help="CSV, or gzip of it; - is standard input")
    sub.add_argument("--dataset", choices=tuple(DATASETS), help="without it, what the header says")
    sub.add_argument("--machine-id", default="", help="of files that have no such column")
    if writes:
        sub.add_argument("-o", "--output", metavar="FILE", help="standard output without it")
    if name != "validate":
        sub.add_argument("--skip-bad", action="store_true", help="leave bad rows out and count them")
    return sub


def _interval(text: str) -> timedelta:
    try:
        return parse_interval(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class Job:
    """The files of one command, which are all of one dataset, and the columns of what comes out."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.sources = [Source(path) for path in options.files]
        self._skip_bad = options.skip_bad
        self._machine_id = options.machine_id
        self.dataset = _dataset(self.sources, options.dataset)
        self.columns = self._columns()
        self.skipped = 0

    def _columns(self) -> list[str]:
        """Those that any file has, in the catalogue's order."""
        found = [self._columns_of(source) for source in self.sources]
        names = set().union(*found)
        if "machine_id" in names and not self._machine_id:
            for source, own in zip(self.sources, found):
                if own and "machine_id" not in own:
                    raise UsageError(f"{source.name} has no column machine_id and another file has: give --machine-id.")
        if self._machine_id:
            names.add("machine_id")
        return [name for name in self.dataset.columns if name in names]

    def _columns_of(self, source: Source) -> set[str]:
        aliases = {alias.name: metric.name for metric in self.dataset.metrics for alias in metric.aliases}
        aliases["hostname"] = "machine_id"
        return {aliases.get(name, name) for name in source.column_names()}

    def tables(self) -> Iterator[Table]:
        """All files one after another."""
        for source in self.sources:
            for decoded in read(source, self.dataset, skip_bad=self._skip_bad):
                self.skipped += decoded.skipped
                yield align(decoded.table, self.columns, self._machine_id)

    def sorted_rows(self) -> Iterator[Row]:
        return sort_rows(row for table in self.tables() for row in _rows(table))

    def sorted_tables(self, rows: Iterable[Row]) -> Iterator[Table]:
        header = header_line(self.columns)
        iterator = iter(rows)
        while True:
            lines = [row.line for row in islice(iterator, _CHUNK_ROWS)]
            if not lines:
                return
            yield decode(self.dataset, "\n".join([header, *lines, ""]).encode()).table

    def write_rows(self, rows: Iterable[Row], path: Optional[str]) -> None:
        with output(path) as file:
            file.write(header_line(self.columns) + "\n")
            file.writelines(f"{row.line}\n" for row in rows)

    def report(self, *remarks: str) -> None:
        skipped = [f"{self.skipped} bad rows left out"] if self.skipped else []
        if skipped or remarks:
            print(f"perfagent: {'; '.join([*remarks, *skipped])}.", file=sys.stderr)


def _dataset(sources: Sequence[Source], name: Optional[str]) -> Dataset:
    if name:
        return DATASETS[name]
    found = {source.dataset().name: source for source in sources}
    if len(found) > 1:
        which = ", ".join(f"{source.name} is {name}" for name, source in found.items())
        raise UsageError(f"The files are of several datasets: {which}.")
    return DATASETS[next(iter(found))]


def _rows(table: Table) -> Iterator[Row]:
    times = [moment.isoformat(timespec="microseconds") for moment in table.columns["timestamp"]]
    machines = table.columns.get("machine_id") or [""] * len(table)
    instance = table.dataset.instance
    instances = [_instance_key(value) for value in table.columns[instance]] if instance else [""] * len(table)
    return map(Row, zip(times, machines, instances), csv_lines(table))


def _instance_key(value: object) -> str:
    """Process ids sort as numbers."""
    return f"{value:018d}" if isinstance(value, int) else str(value)


def validate(options: argparse.Namespace) -> int:
    results = [_validate_file(Source(path), options.dataset) for path in options.files]
    return 0 if all(results) else 1


def _validate_file(source: Source, name: Optional[str]) -> bool:
    try:
        dataset = DATASETS[name] if name else source.dataset()
        check = _Check(source.name, dataset)
        for decoded in read(source, dataset, skip_bad=True):
            check.add(decoded)
    except DataError as error:
        print(error)
        return False
    return check.finish()


class _Check:
    """What validation has seen of one file; prints the problems as they come."""

    def __init__(self, name: str, dataset: Dataset) -> None:
        self._name, self._dataset = name, dataset
        self._rows = self._bad = 0
        self._first: Optional[datetime] = None
        self._last: Optional[datetime] = None

    def add(self, decoded: Decoded) -> None:
        if not self._rows and not self._bad:
            for warning in decoded.warnings:
                print(f"{self._name}: note: {warning}")
        for problem in decoded.problems[: max(MAX_SHOWN - self._bad, 0)]:
            print(f"{self._name}, {_describe(problem)}")
        self._bad += max(decoded.skipped, len(decoded.problems) and 1)
        self._rows += len(decoded.table)
        moments = decoded.table.columns["timestamp"]
        if moments:
            self._first = min(moments) if self._first is None else min(self._first, min(moments))
            self._last = max(moments) if self._last is None else max(self._last, max(moments))

    def finish(self) -> bool:
        if self._bad:
            print(f"{self._name}: {self._bad} bad rows, {self._rows} good ones.")
            return False
        if self._first is None or self._last is None:
            print(f"{self._name}: no rows after the header.")
            return False
        span = f"{format_timestamp(self._first)} to {format_timestamp(self._last)}"
        print(f"{self._name}: good, {self._rows} rows of {self._dataset.name}, {span}.")
        return True


def _describe(problem: Problem) -> str:
    where = f"line {problem.line}" + (f", column {problem.column}" if problem.column else "")
    return f"{where}: {repr(problem.value) + ' ' if problem.column else 'the row '}{problem.reason}"


def merge(options: argparse.Namespace) -> int:
    job = Job(options)
    rows = Duplicates(job.sorted_rows())
    job.write_rows(rows, options.output)
    job.report(*_duplicates(rows))
    return 0


def _duplicates(rows: Duplicates) -> list[str]:
    if not rows.dropped:
        return []
    return [f"{rows.dropped} duplicates dropped, {rows.different} of them with other values"]


def sort(options: argparse.Namespace) -> int:
    job = Job(options)
    job.write_rows(job.sorted_rows(), options.output)
    job.report()
    return 0


def run_resample(options: argparse.Namespace) -> int:
    job = Job(options)
    rows = Duplicates(job.sorted_rows())
    names = [name for name in job.columns if name in job.dataset.metric_names]
    tables = resample(job.sorted_tables(rows), job.dataset, names, options.every)
    with output(options.output) as file:
        file.writelines(as_csv(tables))
    job.report(*_duplicates(rows))
    return 0


def run_split(options: argparse.Namespace) -> int:
    job = Job(options)
    if options.by == "instance" and not job.dataset.instance:
        raise UsageError(f"The dataset {job.dataset.name} has no instances to split by.")
    if options.by == "machine" and "machine_id" not in job.columns:
        raise UsageError("There is no column machine_id to split by: give --machine-id.")
    files = split(job.tables(), options.by, options.into)
    job.report(f"{files} files in {options.into}")
    return 0


def convert(options: argparse.Namespace) -> int:
    job = Job(options)
    wanted = _wanted(job.dataset, options.metrics)
    columns = [name for name in job.columns if name in job.dataset.key or name in wanted]
    with output(options.output) as file:
        file.writelines(WRITERS[options.to](align(table, columns) for table in job.tables()))
    job.report()
    return 0


def _wanted(dataset: Dataset, text: str) -> set[str]:
    if not text:
        return set(dataset.metric_names)
    known = {**groups(dataset), **{name: (name,) for name in dataset.metric_names}}
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise UsageError(f"The dataset {dataset.name} has no metric or group {word!r}.")
    return {name for word in words for name in known[word]}
