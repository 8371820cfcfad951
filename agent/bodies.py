"""How many rows an upload holds, for a client that does not say."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

MAX_BYTES = 64 << 20
"""Of unpacked CSV that is looked through: a small gzip can hold a great many zeros."""


def count_rows(headers: Mapping[str, str], body: bytes) -> int:
    """Lines but the header of each CSV file; 0 when it cannot be told."""
    kind = headers.get("Content-Type", "")
    try:
        if kind.startswith("multipart/form-data"):
            return sum(_rows(part) for part in _files(kind, body))
        return _rows(body)
    except (ValueError, zlib.error):
        return 0


def _files(content_type: str, body: bytes) -> Iterator[bytes]:
    """The parts that have a file name (RFC 7578)."""
    boundary = content_type.partition("boundary=")[2].partition(";")[0].strip().strip('"')
    if not boundary:
        raise ValueError("no boundary")
    for piece in body.split(b"--" + boundary.encode())[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        if b"filename=" in head:
            yield content[: -len(b"\r\n")]


def _rows(data: bytes) -> int:
    text = _unpacked(data)
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    return max(lines - 1, 0)


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        return data
    unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    text = unzip.decompress(data, MAX_BYTES)
    if not unzip.eof:
        raise ValueError("too large or torn")
    return text
