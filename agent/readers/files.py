"""Reading small kernel files again and again, and text that may hold any bytes."""

from __future__ import annotations

import os
from typing import Callable

_CHUNK = 65_536
_HALF_PAGE = 2048


class ParseError(ValueError):
    """A kernel file that does not look as documented; the sentence names the file."""


class Tree:
    """A folder of kernel files, /proc or /sys, each kept open and read from its start again (fs/seq_file.c).

    Keeping them spares the kernel a path lookup, a permission check and an allocation a file and sample.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._handles: dict[str, int] = {}

    def text(self, name: str) -> str:
        """The whole file; bytes that are not UTF-8 survive as surrogates. OSError when it cannot be read."""
        return self._read(name, _read_all)

    def short_lines(self, name: str) -> str:
        """The same of a file that is one record, or has no line of half a page: what is shorter than that is all of it.

        A seq_file hands out the records that fit a page, so only a long one can wait behind a short answer.
        """
        return self._read(name, _read_short_lines)

    def head(self, name: str) -> str:
        """The whole lines among its first bytes, half a page of them; OSError when it cannot be read."""
        return self._read(name, _read_head)

    def _read(self, name: str, read: Callable[[int], bytes]) -> str:
        handle = self._handles.get(name)
        if handle is not None:
            try:
                return _decode(read(handle))
            except OSError:
                self.forget(name)
        return _decode(read(self.handle(name)))

    def handle(self, name: str) -> int:
        """An open handle of the file, which stays this tree's."""
        if name not in self._handles:
            self._handles[name] = os.open(f"{self.root}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        return self._handles[name]

    def forget(self, name: str) -> None:
        handle = self._handles.pop(name, None)
        if handle is not None:
            os.close(handle)

    def close(self) -> None:
        for name in list(self._handles):
            self.forget(name)

    def __del__(self) -> None:
        self.close()


def read_text(path: str) -> str:
    """The whole of a file that is read once. OSError when it cannot be read."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _decode(_read_all(handle))
    finally:
        os.close(handle)


def _read_all(handle: int) -> bytes:
    """Until the kernel says end: a seq_file hands out a page at a time, whatever is asked for."""
    data = chunk = os.pread(handle, _CHUNK, 0)
    while chunk:
        chunk = os.pread(handle, _CHUNK, len(data))
        data += chunk
    return data


def _read_short_lines(handle: int) -> bytes:
    data = os.pread(handle, _CHUNK, 0)
    return data if len(data) < _HALF_PAGE else _read_all(handle)


def _read_head(handle: int) -> bytes:
    data = os.pread(handle, _HALF_PAGE, 0)
    return data[: data.rfind(b"\n") + 1]


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def clean_name(name: str) -> str:
    """A name out of a kernel file as text that a CSV cell may hold."""
    if name.isascii() and name.isprintable() and len(name) <= 1024:
        return name
    from core.batch import clean_text  # brings OpenSSL into memory for its SHA-256; hardly any machine needs it

    return clean_text(os.fsencode(name))
