"""The bytes of an upload: its parts, unpacked within a bound, and whether all of it arrived."""

from __future__ import annotations

import contextlib
import tempfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest

from core.catalogue import DATASETS, SYSTEM
from core.errors import ServiceError

CHUNK = 1 << 16
GZIP_MAGIC = b"\x1f\x8b"
PARTS = {("file" if dataset is SYSTEM else name): dataset for name, dataset in DATASETS.items()}
"""Form field of a multipart upload -> dataset."""
_RAW_TYPES = frozenset({"text/csv", "application/csv", "text/plain", "application/gzip", "application/octet-stream"})


def read(request: HttpRequest) -> dict[str, bytes]:
    """Dataset name -> its CSV file, unpacked. Errors: UPLOAD_001, 004, 005, 008, REQUEST_003."""
    length = _content_length(request, settings.UPLOAD_MAX_BYTES)
    budget = _Budget(settings.UPLOAD_MAX_BYTES)
    if request.content_type == "multipart/form-data":
        return {name: b"".join(budget.unpack(file)) for name, file in _multipart(request, length).items()}
    name, zipped = _raw(request)
    data = b"".join(budget.unpack(request, zipped))
    _check_arrived(request, length)
    return {name: data}


@contextlib.contextmanager
def spooled(request: HttpRequest) -> Iterator[tuple[str, IO[bytes]]]:
    """As `read`, of a body with one dataset and up to BULK_MAX_MB: its unpacked CSV on disk, in flat memory."""
    length = _content_length(request, settings.BULK_MAX_BYTES)
    budget = _Budget(settings.BULK_MAX_BYTES)
    with tempfile.TemporaryFile() as spool:
        if request.content_type == "multipart/form-data":
            name, file = _only_part(_multipart(request, length))
            spool.writelines(budget.unpack(file))
        else:
            name, zipped = _raw(request)
            spool.writelines(budget.unpack(request, zipped))
        _check_arrived(request, length)
        yield name, spool


def _only_part(files: dict[str, UploadedFile[bytes]]) -> tuple[str, UploadedFile[bytes]]:
    if len(files) > 1:
        raise ServiceError("REQUEST_003", "Send one dataset at a time with rows of many machines.")
    ((name, file),) = files.items()
    return name, file


def _raw(request: HttpRequest) -> tuple[str, bool | None]:
    """Dataset of a raw body, and whether it is packed; None: its first bytes tell."""
    if request.content_type not in _RAW_TYPES:
        raise ServiceError(
            "UPLOAD_005", f"Send multipart/form-data or text/csv, not {request.content_type or 'nothing'}."
        )
    name = request.GET.get("dataset", SYSTEM.name)
    if name not in DATASETS:
        raise ServiceError("REQUEST_003", f"There is no dataset {name[:80]!r}.")
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise ServiceError("UPLOAD_005", f"Content-Encoding {encoding[:80]!r} is not understood; send gzip or none.")
    return name, encoding == "gzip" or None


def _content_length(request: HttpRequest, most: int) -> int:
    """The declared length. A chunked body arrives empty under WSGI (trap 12), so one without a length is refused."""
    text = request.META.get("CONTENT_LENGTH") or ""
    chunked = "HTTP_TRANSFER_ENCODING" in request.META
    if chunked or (text and not text.isdigit()):
        raise ServiceError("UPLOAD_008", "Send the upload with a Content-Length, not chunked.")
    length = int(text or "0")
    if length == 0:
        raise ServiceError("UPLOAD_001", "The upload is empty.")
    if length > most:
        raise _too_large(most)
    return length


def _check_arrived(request: HttpRequest, length: int) -> None:
    received = getattr(request.META.get("wsgi.input"), "received", length)
    if received < length:
        raise ServiceError("UPLOAD_008", f"The upload broke off after {received} of {length} bytes.")


def _too_large(most: int) -> ServiceError:
    return ServiceError("UPLOAD_004", f"The upload is larger than {most // 1_048_576} MB unpacked; split it.")


def _multipart(request: HttpRequest, length: int) -> dict[str, UploadedFile[bytes]]:
    """Dataset name -> its part."""
    files: list[tuple[str, UploadedFile[bytes]]] = [
        (name, file) for name, members in request.FILES.lists() for file in members if isinstance(file, UploadedFile)
    ]
    _check_arrived(request, length)
    names = [name for name, _ in files]
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise ServiceError("REQUEST_003", f"There is no part {unknown[0][:80]!r}; known: {', '.join(PARTS)}.")
    if not names:
        raise ServiceError("UPLOAD_001", "The upload has no file; send one as the part `file`.")
    if len(names) > len(set(names)):
        raise ServiceError("REQUEST_003", "A part is there more than once.")
    return {PARTS[name].name: file for name, file in files}


class _Budget:
    """Bytes that all parts together may still unpack to."""

    def __init__(self, most: int) -> None:
        self.most = self.left = most

    def unpack(self, source: UploadedFile[bytes] | HttpRequest, zipped: bool | None = None) -> Iterator[bytes]:
        """The bytes of a source in pieces; gzip is known by its magic unless `zipped` says so."""
        first = source.read(CHUNK)
        if zipped is None:
            zipped = first.startswith(GZIP_MAGIC)
        pieces = self._gunzip(first, source) if zipped else self._plain(first, source)
        return self._counted(pieces)

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.left -= len(piece)
            if self.left < 0:
                raise _too_large(self.most)
            yield piece

    @staticmethod
    def _plain(first: bytes, source: Any) -> Iterator[bytes]:
        piece = first
        while piece:
            yield piece
            piece = source.read(CHUNK)

    @staticmethod
    def _gunzip(first: bytes, source: Any) -> Iterator[bytes]:
        """Unpack in bounded steps: 1 GB of zeros is under 1 MB of gzip (trap 13)."""
        unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        packed = first
        try:
            while packed and not unzip.eof:
                yield unzip.decompress(packed, CHUNK)
                packed = unzip.unconsumed_tail or source.read(CHUNK)
        except zlib.error:
            raise ServiceError("UPLOAD_005", "The upload is not valid gzip.") from None
        if not unzip.eof:
            raise ServiceError("UPLOAD_008", "The gzip data breaks off.")
        if unzip.unused_data or (packed and source.read(1)):
            raise ServiceError("UPLOAD_005", "There are bytes after the end of the gzip data.")
