"""HTTP to the portal: one connection, certificates verified, no redirects, everything bounded."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30.0
_MAX_ANSWER_BYTES = 1 << 20


@dataclass(frozen=True)
class Answer:
    """headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """Opened at the first request and again after an error; OSError and HTTPException come through."""

    def __init__(self, url: str, ca_file: str = "", timeout: float = TIMEOUT_SECONDS) -> None:
        parts = urlsplit(url)
        self._prefix = parts.path.rstrip("/")
        self._http = _connection(parts.scheme, parts.hostname or "", parts.port, ca_file, timeout)

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """A request with Content-Length; http.client chunks only what has no length."""
        return self._ask("POST", path, headers, body)

    def get(self, path: str, headers: Mapping[str, str]) -> Answer:
        return self._ask("GET", path, headers, None)

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        try:
            self._http.request(method, self._prefix + path, body, dict(headers))
            response = self._http.getresponse()
            content = response.read(_MAX_ANSWER_BYTES)
            if not response.isclosed():
                self._http.close()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
        except (OSError, http.client.HTTPException):
            self._http.close()
            raise

    def close(self) -> None:
        self._http.close()


def _connection(scheme: str, host: str, port: int | None, ca_file: str, timeout: float) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context(cafile=ca_file or None)
        secure = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
        return _with_loopback(secure, host)
    return _with_loopback(http.client.HTTPConnection(host, port, timeout=timeout), host)


def _with_loopback(connection: Any, host: str) -> http.client.HTTPConnection:
    """`localhost` and names below it are this machine, whatever DNS says (RFC 6761, 6.3); Host keeps the name."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        connection._create_connection = _connect_to_loopback
    return connection  # type: ignore[no-any-return]


def _connect_to_loopback(address: tuple[str, int], timeout: float, source: Any = None) -> socket.socket:
    try:
        return socket.create_connection(("127.0.0.1", address[1]), timeout, source)
    except OSError:
        try:
            return socket.create_connection(("::1", address[1]), timeout, source)
        except OSError:
            pass
        raise
