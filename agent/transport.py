"""HTTP to the portal: one connection, certificates verified, no redirects, everything bounded.

The service has this module in memory, and only its children connect: what brings OpenSSL is imported where it is used.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import http.client
    import socket
    import ssl

TIMEOUT_SECONDS = 30.0
_MAX_ANSWER_BYTES = 1 << 20
_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.[0-9]+")


@dataclass(frozen=True)
class Answer:
    """headers: names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """Opened at the first request and again after an error, which is an OSError whatever went wrong."""

    def __init__(self, url: str, ca_file: str = "", timeout: float = TIMEOUT_SECONDS) -> None:
        self._url = urlsplit(url)
        self._timeout = timeout
        self._contexts = _contexts(ca_file) if self._url.scheme == "https" else iter(())
        self._http = self._connection(next(self._contexts, None))

    def _connection(self, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
        import http.client

        host, port = self._url.hostname or "", self._url.port
        if context is None:
            return _with_loopback(http.client.HTTPConnection(host, port, timeout=self._timeout), host)
        secure = http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)
        return _with_loopback(secure, host)

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """A request with Content-Length; http.client chunks only what has no length."""
        return self._ask("POST", path, headers, body)

    def get(self, path: str, headers: Mapping[str, str]) -> Answer:
        return self._ask("GET", path, headers, None)

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        with self._response(method, path, headers, body) as response:
            content = response.read(_MAX_ANSWER_BYTES)
            if not response.isclosed():
                self._http.close()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    @contextlib.contextmanager
    def _response(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> Iterator[http.client.HTTPResponse]:
        """Its body not read yet; what fails while that is read closes the connection too."""
        import http.client

        try:
            yield self._send(method, self._url.path.rstrip("/") + path, headers, body)
        except OSError:
            self._http.close()
            raise
        except http.client.HTTPException as error:
            self._http.close()
            raise ConnectionError(str(error) or type(error).__name__) from error

    def _send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> http.client.HTTPResponse:
        import ssl

        try:
            self._http.request(method, path, body, dict(headers))
        except ssl.SSLCertVerificationError:
            context = next(self._contexts, None)
            if context is None:
                raise
            self._http.close()
            self._http = self._connection(context)
            return self._send(method, path, headers, body)
        return self._http.getresponse()

    def close(self) -> None:
        self._http.close()


def _contexts(ca_file: str) -> Iterator[ssl.SSLContext]:
    """Each verifies; the next is for an authority that the one before does not know.

    To parse the system's file of all authorities takes 15 ms; in a folder OpenSSL finds the one it needs by its hash.
    """
    import ssl

    if ca_file:
        yield ssl.create_default_context(cafile=ca_file)
        return
    folder = ssl.get_default_verify_paths().capath
    if folder and _is_hashed(folder):
        yield ssl.create_default_context(capath=folder)
    yield ssl.create_default_context()


def _is_hashed(folder: str) -> bool:
    """Whether openssl-rehash(1) has been there."""
    try:
        return any(map(_HASHED_NAME.fullmatch, os.listdir(folder)))
    except OSError:
        return False


def _with_loopback(connection: Any, host: str) -> http.client.HTTPConnection:
    """`localhost` and names below it are this machine, whatever DNS says (RFC 6761, 6.3); Host keeps the name."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        connection._create_connection = _connect_to_loopback
    return connection  # type: ignore[no-any-return]


def _connect_to_loopback(address: tuple[str, int], timeout: float, source: Any = None) -> socket.socket:
    import socket

    try:
        return socket.create_connection(("127.0.0.1", address[1]), timeout, source)
    except OSError:
        try:
            return socket.create_connection(("::1", address[1]), timeout, source)
        except OSError:
            pass
        raise
