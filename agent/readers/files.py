"""Reading small kernel files, and text that may hold any bytes."""

from __future__ import annotations

import os

from core.batch import clean_text

_CHUNK = 65_536


class ParseError(ValueError):
    """A kernel file that does not look as documented; the sentence names the file."""


def read_text(path: str) -> str:
    """The whole file; bytes that are not UTF-8 survive as surrogates. OSError when it cannot be read.

    os.open and not open(): no buffer, no codec, a tenth of the time, and this runs a dozen times a sample.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks: list[bytes] = []
        while True:
            chunk = os.read(handle, _CHUNK)
            if not chunk:
                return b"".join(chunks).decode("utf-8", "surrogateescape")
            chunks.append(chunk)
    finally:
        os.close(handle)


def clean_name(name: str) -> str:
    """A name out of a kernel file as text that a CSV cell may hold."""
    return name if name.isascii() and name.isprintable() else clean_text(os.fsencode(name))
