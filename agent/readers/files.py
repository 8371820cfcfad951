"""Reading small kernel files again and again, and text that may hold any bytes."""

from __future__ import annotations

import os

_CHUNK = 65_536


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
        handle = self._handles.get(name)
        if handle is not None:
            try:
                return _read_all(handle)
            except OSError:
                self.forget(name)
        return _read_all(self.handle(name))

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
        return _read_all(handle)
    finally:
        os.close(handle)


def _read_all(handle: int) -> str:
    """Until the kernel says end: a seq_file hands out a page at a time, whatever is asked for."""
    data = chunk = os.pread(handle, _CHUNK, 0)
    while chunk:
        chunk = os.pread(handle, _CHUNK, len(data))
        data += chunk
    return data.decode("utf-8", "surrogateescape")


def clean_name(name: str) -> str:
    """A name out of a kernel file as text that a CSV cell may hold."""
    if name.isascii() and name.isprintable() and len(name) <= 1024:
        return name
    from core.batch import clean_text  # brings OpenSSL into memory for its SHA-256; hardly any machine needs it

    return clean_text(os.fsencode(name))
