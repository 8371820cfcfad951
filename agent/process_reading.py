"""CSV files of the batch format, a chunk at a time, by the portal's own decoder: same faults, same words."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO, Optional, cast

from core.batch import BatchError, Decoded, Problem, Table, decode
from core.catalogue import DATASETS, SYSTEM, Dataset

CHUNK_LINES = 4000
MAX_LINE_BYTES = 1 << 20
STDIN = "-"
_GZIP = b"\x1f\x8b"


class DataError(Exception):
    """A file whose content cannot be used; the sentence names file and line."""


class Source:
    """One file, or standard input for `-`; gzip is seen by its first bytes. OSError comes through."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = "standard input" if path == STDIN else path
        self._header = b""
        self._stdin: Optional[BinaryIO] = None

    def header(self) -> bytes:
        """The first line, without a byte order mark."""
        if not self._header:
            stream = self._open()
            self._header = _read_line(stream, self.name, 1).removeprefix(b"\xef\xbb\xbf")
            if self.path == STDIN:
                self._stdin = stream
            else:
                stream.close()
        return self._header

    def column_names(self) -> list[str]:
        text = self.header().decode("utf-8", "replace").strip().lower()
        return [cell.strip(' "') for cell in text.split(",")]

    def dataset(self) -> Dataset:
        """The one whose instance column the header has. A filesystem has a device too, so its mount decides."""
        names = set(self.column_names())
        with_instance = sorted(DATASETS.values(), key=lambda dataset: dataset.instance == "device")
        return next((dataset for dataset in with_instance if dataset.instance in names), SYSTEM)

    def _open(self) -> BinaryIO:
        handle = 0 if self.path == STDIN else os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        stream = os.fdopen(handle, "rb", closefd=self.path != STDIN)
        if stream.peek(2)[:2] == _GZIP:
            return cast(BinaryIO, gzip.open(stream))
        return stream

    def lines(self) -> Iterator[bytes]:
        """Every line after the header."""
        self.header()
        stream = self._stdin or self._open()
        number = 1
        if self._stdin is None:
            _read_line(stream, self.name, number)
        while True:
            number += 1
            line = _read_line(stream, self.name, number)
            if not line:
                break
            yield line
        stream.close()


def _read_line(stream: BinaryIO, name: str, number: int) -> bytes:
    try:
        line = stream.readline(MAX_LINE_BYTES + 1)
    except (EOFError, gzip.BadGzipFile) as error:
        raise DataError(f"{name}, line {number}: the gzip data are damaged: {error}.") from None
    if len(line) > MAX_LINE_BYTES:
        raise DataError(f"{name}, line {number}: longer than {MAX_LINE_BYTES} bytes.")
    return line


def read(source: Source, dataset: Dataset, *, skip_bad: bool = False) -> Iterator[Decoded]:
    """The file's rows in parts; lines in problems are those of the file. DataError for the first fault."""
    header = source.header()
    if not header.strip():
        raise DataError(f"{source.name}: the file is empty.")
    if not header.endswith(b"\n"):
        header += b"\n"
    first_line = 2
    for count, body in _chunks(source.lines()):
        decoded = _decode(source.name, dataset, header, body, first_line, skip_bad)
        if decoded is not None:
            yield decoded
        first_line += count


def _chunks(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Number of lines, and the lines; a chunk ends outside quotes."""
    chunk: list[bytes] = []
    quotes = size = 0
    for line in lines:
        chunk.append(line)
        size += len(line)
        quotes += line.count(b'"')
        if (len(chunk) >= CHUNK_LINES and quotes % 2 == 0) or size > 8 * MAX_LINE_BYTES:
            yield len(chunk), b"".join(chunk)
            chunk, quotes, size = [], 0, 0
    if chunk:
        yield len(chunk), b"".join(chunk)


def _decode(
    name: str, dataset: Dataset, header: bytes, body: bytes, first_line: int, skip_bad: bool
) -> Optional[Decoded]:
    """None for a chunk of blank lines."""
    shift = first_line - 2
    try:
        decoded = decode(dataset, header + body, skip_bad=skip_bad)
    except BatchError as error:
        if error.kind == "empty" and not error.problems:
            return None
        if error.kind == "empty" and skip_bad:
            return Decoded(Table(dataset, {"timestamp": []}), [], _shifted(error.problems, shift), len(error.problems))
        raise DataError(f"{name}: {_shift_sentence(error.sentence, shift)}") from None
    return replace(decoded, problems=_shifted(decoded.problems, shift))


def _shifted(problems: Iterable[Problem], shift: int) -> list[Problem]:
    return [replace(problem, line=problem.line + shift) for problem in problems]


def _shift_sentence(sentence: str, shift: int) -> str:
    """The decoder counts from the chunk's own header."""
    return re.sub(r"\b([Ll]ine) (\d+)", lambda match: f"{match[1]} {int(match[2]) + shift}", sentence, count=1)
