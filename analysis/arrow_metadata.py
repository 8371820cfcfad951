"""Field metadata for polars, which takes an Arrow schema but offers no way to annotate one.

Source: Arrow C data interface, `struct ArrowSchema` (https://arrow.apache.org/docs/format/CDataInterface.html).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping

import polars as pl


class _ArrowSchema(ctypes.Structure):
    pass


_ArrowSchema._fields_ = (
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(_ArrowSchema))),
    ("dictionary", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
)

_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.restype = ctypes.c_void_p
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class SchemaWithMetadata:
    """A polars schema that exports to Arrow with metadata on its fields; keep it alive while the export is read.

    The producer frees what it keeps in `private_data`, never the pointer that is replaced here.
    """

    def __init__(self, schema: pl.Schema, fields: Mapping[str, Mapping[str, str]]) -> None:
        self._schema = schema
        self._encoded = {name: _encode(pairs) for name, pairs in fields.items()}

    def __arrow_c_schema__(self) -> object:
        capsule = self._schema.__arrow_c_schema__()
        exported = ctypes.cast(_pointer(capsule, b"arrow_schema"), ctypes.POINTER(_ArrowSchema)).contents
        for index in range(exported.n_children):
            child = exported.children[index].contents
            encoded = self._encoded.get(child.name.decode())
            if encoded is not None:
                child.metadata = ctypes.addressof(encoded)
        return capsule


def _encode(pairs: Mapping[str, str]) -> ctypes.Array[ctypes.c_char]:
    """Count, then each key and value with its length; 32-bit integers in the machine's byte order."""
    texts = [text.encode() for pair in pairs.items() for text in pair]
    body = b"".join(struct.pack("=i", len(text)) + text for text in texts)
    data = struct.pack("=i", len(pairs)) + body
    return ctypes.create_string_buffer(data, len(data))
