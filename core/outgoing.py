"""Requests to addresses that customers name: webhooks, sign-in providers (trap 41).

    answer = outgoing.session().post(address, data=body)      # requests.RequestException when it fails
    outgoing.reason(error)                                    # a sentence for people

Every address that the name resolves to is checked, and the connection goes to one that was checked, so that a name
cannot change in between. TLS is verified against the name. No redirect is followed, no proxy or netrc of the
environment is used, and time and size are bounded.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.util.connection import create_connection

from core import addresses

MOST_TRIED = 4
_CHUNK = 65_536


@dataclass(frozen=True)
class Limits:
    """Seconds to connect (each address), between two bytes, and altogether; bytes of an answer, unpacked."""

    connect: float = 5.0
    read: float = 10.0
    total: float = 20.0
    size: int = 1_048_576


class RefusedError(requests.ConnectionError):
    """Where the name leads is no place that the portal goes to."""


class TooLargeError(requests.RequestException):
    """The answer has more bytes than the limit."""


class _RefusalError(Exception):
    """As RefusedError, on its way through urllib3, which would wrap an OSError."""


@dataclass
class _Deadline:
    """The end of one request: it cuts the connections, however slowly they drip."""

    seconds: float
    began: float = field(default_factory=time.monotonic)
    _held: list[socket.socket] = field(default_factory=list)

    @property
    def remaining(self) -> float:
        return self.began + self.seconds - time.monotonic()

    def hold(self, connection: socket.socket) -> None:
        """A second handle of the same connection, because TLS takes the first one over."""
        self._held.append(connection.dup())

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        timer = threading.Timer(self.seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            for connection in self._held:
                connection.close()

    def _cut(self) -> None:
        for connection in list(self._held):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


_deadline: ContextVar[_Deadline] = ContextVar("deadline")


def _resolve(host: str, port: int, seconds: float) -> list[addresses.Address]:
    """All addresses of the name; in a thread, because a lookup knows no time limit."""
    lookups = ThreadPoolExecutor(1)
    try:
        found = lookups.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM).result(max(seconds, 0))
    except (TimeoutError, UnicodeError, OSError):
        raise _RefusalError("The name does not resolve to an address.") from None
    finally:
        lookups.shutdown(wait=False)
    return list(dict.fromkeys(addresses.parse(str(entry[4][0])) for entry in found))


def _checked(host: str, port: int, seconds: float, *, in_clear: bool) -> list[addresses.Address]:
    """The addresses of the name; _RefusalError when there is any that must not be reached, or not in clear text."""
    found = _resolve(host, port, seconds)
    allowed = settings.OUTGOING_ALLOW
    if not all(addresses.may_reach(address, allowed) for address in found):
        raise _RefusalError(
            "The name leads to an address that is not public. The operator of this portal can allow its network "
            "(OUTGOING_ALLOW)."
        )
    if in_clear and not all(addresses.is_named(address, allowed) for address in found):
        raise _RefusalError("Use https: over http the message could be read and changed on its way.")
    return found


def _connect(connection: HTTPConnection, *, in_clear: bool) -> socket.socket:
    deadline = _deadline.get()
    found = _checked(connection._dns_host, connection.port, deadline.remaining, in_clear=in_clear)
    failure: OSError = OSError("no address")
    for address in found[:MOST_TRIED]:
        try:
            made = create_connection((str(address), connection.port), connection.timeout)
        except OSError as error:
            failure = error
        else:
            deadline.hold(made)
            return made
    raise failure


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, in_clear=True)


class _Secure(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self, in_clear=False)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _GuardedAdapter(HTTPAdapter):
    """Sends through checked connections, each for one request, and answers with a body that is read and bounded."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        trusted = ssl.create_default_context()
        if settings.OUTGOING_CA_FILE:
            trusted.load_verify_locations(settings.OUTGOING_CA_FILE)
        super().init_poolmanager(*args, **kwargs, ssl_context=trusted)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The limits hold whatever the caller asks for, and so does verification."""
        deadline = _Deadline(self._limits.total)
        token = _deadline.set(deadline)
        try:
            with deadline.watching():
                answer = super().send(request, stream=True, timeout=(self._limits.connect, self._limits.read))
                answer.raw = io.BytesIO(self._bounded(answer))
            # A connection that was cut between two headers passes for an answer that has ended.
            if deadline.remaining <= 0:
                raise self._late(request)
            return answer
        except _RefusalError as refusal:
            raise RefusedError(str(refusal), request=request) from None
        except (requests.RequestException, HTTPError, OSError) as error:
            raise self._as_ours(error, deadline, request) from error
        finally:
            _deadline.reset(token)
            self.poolmanager.clear()

    def _bounded(self, answer: requests.Response) -> bytes:
        body = b""
        while piece := answer.raw.read(min(_CHUNK, self._limits.size + 1 - len(body)), decode_content=True):
            body += piece
            if len(body) > self._limits.size:
                raise TooLargeError(f"The answer is larger than {self._limits.size:,} bytes.")
        return body

    def _late(self, request: requests.PreparedRequest) -> requests.Timeout:
        return requests.Timeout(f"It took longer than {self._limits.total:g} seconds.", request=request)

    def _as_ours(
        self, error: Exception, deadline: _Deadline, request: requests.PreparedRequest
    ) -> requests.RequestException:
        if deadline.remaining <= 0:
            return self._late(request)
        if isinstance(error, requests.RequestException):
            return error
        return requests.ConnectionError(error, request=request)


class GuardedSession(requests.Session):
    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__()
        self.trust_env = False
        self.adapters.clear()
        for scheme in ("https://", "http://"):
            self.mount(scheme, _GuardedAdapter(limits or Limits()))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """A redirect is an answer like any other, and never followed: it would lead past what was checked."""


def session(limits: Limits | None = None) -> GuardedSession:
    return GuardedSession(limits)


def reason(error: requests.RequestException) -> str:
    """Why a request failed, in a sentence that repeats nothing of what was sent or answered."""
    if isinstance(error, (RefusedError, TooLargeError)):
        return str(error)
    if verification := _find(error, ssl.SSLCertVerificationError):
        return f"The receiver's certificate is not valid: {verification.verify_message}."
    if isinstance(error, requests.Timeout) or _find(error, TimeoutError):
        return "The receiver did not answer in time."
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS with the receiver failed."
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema)):
        return "The address is not one that can be asked; it has to begin with https://."
    return "There is no connection to the receiver."


def _find(error: BaseException | None, kind: type[Any]) -> Any:
    """The first of that kind among what the error comes from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, kind):
            return error
        seen.add(id(error))
        inner = next(
            (part for part in (getattr(error, "reason", None), *error.args) if isinstance(part, Exception)), None
        )
        error = inner or error.__cause__ or error.__context__
    return None
