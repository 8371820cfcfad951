"""Which keys a relay accepts: each asked of the portal once, then known for a time by a salted digest."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import threading
import time
from enum import Enum
from typing import Any, Callable, Dict

from agent import __version__, durable
from agent.config import Config
from agent.transport import Answer, Connection

_LOG = logging.getLogger("perfagent.relay")
PATH = "/api/v1/collectors"
"""A list for people: to a machine's key that lives it answers 403 AUTH_003, to an unknown one 401 AUTH_001."""
_TIMEOUT_SECONDS = 10.0
_REFUSED_SECONDS = 60.0
_AWAY_SECONDS = 5.0
_MAX_REFUSED = 1000


class Standing(Enum):
    KNOWN = "known"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"


Ask = Callable[[str], Standing]


class KeyRing:
    """Safe for several threads. The file holds no key, and nothing from which one could be guessed."""

    def __init__(self, path: str, seconds: float, ask: Ask, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._seconds = seconds
        self._ask = ask
        self._now = now
        self._guard = threading.Lock()
        self._asking = threading.Lock()
        self._refused: Dict[str, float] = {}
        self._away_until = 0.0
        self._salt, self._known = _load(path)

    def __len__(self) -> int:
        return len(self._known)

    def standing(self, key: str) -> Standing:
        """UNCERTAIN when the key is not known and the portal cannot be asked."""
        mark = self.mark(key)
        remembered = self._remembered(mark)
        if remembered is not None:
            return remembered
        with self._asking:
            remembered = self._remembered(mark)
            return remembered if remembered is not None else self._learn(mark, self._ask(key))

    def mark(self, key: str) -> str:
        return hmac.new(self._salt, key.encode(), hashlib.sha256).hexdigest()

    def forget(self, key: str) -> None:
        """The portal has refused a batch with it."""
        with self._guard:
            if self._known.pop(self.mark(key), None) is not None:
                self._save()

    def _remembered(self, mark: str) -> Standing | None:
        with self._guard:
            now = self._now()
            if self._is_fresh(self._known.get(mark), self._seconds, now):
                return Standing.KNOWN
            if self._is_fresh(self._refused.get(mark), _REFUSED_SECONDS, now):
                return Standing.REFUSED
            return Standing.UNCERTAIN if now < self._away_until <= now + _AWAY_SECONDS else None

    @staticmethod
    def _is_fresh(since: float | None, seconds: float, now: float) -> bool:
        return since is not None and 0 <= now - since < seconds

    def _learn(self, mark: str, standing: Standing) -> Standing:
        with self._guard:
            now = self._now()
            if standing is Standing.KNOWN:
                self._known[mark] = now
                self._known = {name: since for name, since in self._known.items() if now - since < self._seconds}
                self._save()
            elif standing is Standing.REFUSED:
                self._known.pop(mark, None)
                self._refused = {**dict(list(self._refused.items())[-_MAX_REFUSED:]), mark: now}
            else:
                self._away_until = now + _AWAY_SECONDS
            return standing

    def _save(self) -> None:
        try:
            durable.write_file(self._path, json.dumps({"salt": self._salt.hex(), "known": self._known}).encode())
        except OSError as error:
            _LOG.error("The known keys cannot be written: %s", error)


def _load(path: str) -> tuple[bytes, Dict[str, float]]:
    """A new salt when there is no file, or one that cannot be read: then every key is asked for again."""
    try:
        with open(path, encoding="utf-8") as file:
            content: Any = json.load(file)
        return bytes.fromhex(content["salt"]), {str(mark): float(since) for mark, since in content["known"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return os.urandom(32), {}


def asking(config: Config) -> Ask:
    """Asks the portal of the settings."""

    def ask(key: str) -> Standing:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": f"perfagent/{__version__}"}
        try:
            connection = Connection(config.url, config.ca_file, _TIMEOUT_SECONDS)
            try:
                return judge(connection.get(PATH, headers))
            finally:
                connection.close()
        except OSError as error:
            _LOG.warning("A key cannot be verified, the portal is away: %s", error)
            return Standing.UNCERTAIN

    return ask


def judge(answer: Answer) -> Standing:
    """By the portal's own codes only; the page of a proxy says nothing about a key."""
    try:
        content: Any = json.loads(answer.body)
        code = content["code"] if content["status"] == "error" else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return Standing.UNCERTAIN
    if answer.status == 403 and code == "AUTH_003":
        return Standing.KNOWN
    return Standing.REFUSED if answer.status == 401 and code in ("AUTH_001", "AUTH_002") else Standing.UNCERTAIN
