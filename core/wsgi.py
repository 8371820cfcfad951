"""The WSGI entry point. WSGI only: a tenant is a state of its thread's connection (docs/decisions.md)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")
_django = get_wsgi_application()


class CountedInput:
    """`wsgi.input` that knows how much of the body arrived: Django takes one that breaks off for a whole one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.received = 0

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        self.received += len(data)
        return data

    def readline(self, size: int = -1) -> bytes:
        data: bytes = self._stream.readline(size)
        self.received += len(data)
        return data


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    environ["wsgi.input"] = CountedInput(environ["wsgi.input"])
    return _django(environ, start_response)
