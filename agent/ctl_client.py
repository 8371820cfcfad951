"""The portal's API as `ctl` calls it: JSON answers, and bodies that are passed on as they come."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Optional

from agent import __version__, config
from agent.config import ConfigError
from agent.transport import Connection

MAX_JSON_BYTES = 64 << 20
TIMEOUT_SECONDS = 120.0


class RefusedError(Exception):
    """The portal's own no: code and sentence. retry_after: seconds, where it says when to come again."""

    def __init__(self, code: str, sentence: str, retry_after: Optional[float] = None) -> None:
        super().__init__(f"{sentence} ({code})")
        self.code = code
        self.retry_after = retry_after


class UnreachableError(Exception):
    """No answer, or one that is not the portal's."""


class Client(Connection):
    """secret: a personal token, or a machine's key for uploads."""

    def __init__(self, url: str, ca_file: str, secret: str) -> None:
        super().__init__(url, ca_file, TIMEOUT_SECONDS)
        self._portal = url
        self._secret = secret

    def ask(self, method: str, path: str, content: Optional[Mapping[str, Any]] = None) -> Any:
        """The JSON of the answer; RefusedError, UnreachableError."""
        body = None if content is None else json.dumps(content).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        with self.open(method, path, headers, body) as response:
            return _parse(response.read(MAX_JSON_BYTES), self._portal)

    @contextmanager
    def open(
        self, method: str, path: str, headers: Mapping[str, str], body: Optional[bytes] = None
    ) -> Iterator[http.client.HTTPResponse]:
        """A good answer, its body not read yet."""
        sent = {"Authorization": f"Bearer {self._secret}", "User-Agent": f"perfagent/{__version__}", **headers}
        try:
            with self._response(method, f"/api/v1/{path}", sent, body) as response:
                if not 200 <= response.status < 300:
                    raise _refusal(response, self._portal)
                yield response
        except OSError as error:
            raise UnreachableError(f"{self._portal} could not be reached: {error or type(error).__name__}.") from None
        finally:
            self._http.close()


def _parse(data: bytes, url: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise UnreachableError(f"{url} answers, but not as the portal does.") from None


def _refusal(response: http.client.HTTPResponse, url: str) -> Exception:
    try:
        content = json.loads(response.read(1 << 20))
        code, sentence = str(content["code"]), str(content["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return UnreachableError(f"{url} answers HTTP {response.status}, but not as the portal does.")
    wait = response.headers.get("Retry-After", "")
    return RefusedError(code, sentence, float(wait) if wait.isascii() and wait.isdigit() else None)


def connect(environment: Mapping[str, str], url: str, *, as_machine: bool) -> Client:
    """ConfigError when address or secret are missing. A person need not be able to read the agent's settings."""
    settings = _settings(environment)
    address = (url or environment.get("PERFAGENT_URL") or settings.get("url", "")).rstrip("/")
    if not address:
        raise ConfigError("No portal is named: set PERFAGENT_URL, or give --url https://host.")
    ca_file = environment.get("PERFAGENT_CA_FILE") or settings.get("ca_file", "")
    secret = environment.get("PERFAGENT_KEY") or settings.get("key", "") if as_machine else _token(environment)
    if not secret:
        raise ConfigError("PERFAGENT_KEY is not set: an upload needs the machine's own key.")
    config.check({"url": address, "machine_id": "any"})
    if not re.fullmatch(r"[!-~]{8,512}", secret):
        name = "PERFAGENT_KEY" if as_machine else "PERFAGENT_TOKEN"
        raise ConfigError(f"{name} is not what the portal showed: 8 to 512 characters without spaces.")
    try:
        return Client(address, ca_file, secret)
    except OSError as error:
        raise ConfigError(f"The certificate of PERFAGENT_CA_FILE cannot be used: {error}.") from None


def _settings(environment: Mapping[str, str]) -> Mapping[str, str]:
    path = config.config_path(environment)
    try:
        with open(path, encoding="utf-8") as file:
            return config.parse(file.read(), path)
    except (OSError, UnicodeDecodeError):
        return {}


def _token(environment: Mapping[str, str]) -> str:
    token = environment.get("PERFAGENT_TOKEN", "").strip()
    if not token:
        raise ConfigError("PERFAGENT_TOKEN is not set: make a personal token in the portal, and export it.")
    return token
