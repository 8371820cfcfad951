"""Environment variables: how one is declared, read, and refused with one sentence when it is wrong."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class Kind:
    """What a value must be, in words, and the function that reads it; ValueError when it is something else."""

    form: str
    parse: Callable[[str], Any]


@dataclass(frozen=True)
class Variable:
    """One environment variable: what it must be, what it is when absent or empty, and what it does."""

    name: str
    kind: Kind
    default: Any
    sentence: str


def read(variable: Variable, environment: Mapping[str, str]) -> Any:
    """The value, or ImproperlyConfigured; the sentence does not repeat the value, which may hold a password."""
    text = environment.get(variable.name, "").strip()
    if not text:
        return variable.default
    try:
        return variable.kind.parse(text)
    except ValueError:
        raise ImproperlyConfigured(f"{variable.name} must be {variable.kind.form}.") from None


def _switch(text: str) -> bool:
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if text.lower() not in known:
        raise ValueError
    return known[text.lower()]


def _whole(text: str) -> int:
    return int(_matching(r"\d{1,9}", text))


def _positive(text: str) -> int:
    return int(_matching(r"0*[1-9]\d{0,8}", text))


def _matching(pattern: str, text: str) -> str:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise ValueError
    return text


def _networks(text: str) -> list[str]:
    return [str(ipaddress.ip_network(part.strip())) for part in text.split(",") if part.strip()]


def _texts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _address(*schemes: str) -> Callable[[str], str]:
    """A URL of one of the schemes, with something after them and, if any, a port that is a number."""

    def parse(text: str) -> str:
        url = urlsplit(text)
        if url.scheme not in schemes or url.port == 0 or not (url.hostname or url.path.strip("/")):
            raise ValueError
        return text

    return parse


def _database(text: str) -> str:
    parse = _address("postgres", "postgresql", "pgsql", "psql")
    if not urlsplit(parse(text)).path.strip("/"):
        raise ValueError
    return text


TEXT = Kind("a text", str)
TEXTS = Kind("texts, comma-separated", _texts)
SWITCH = Kind("true or false", _switch)
WHOLE = Kind("a whole number", _whole)
POSITIVE = Kind("a whole number above 0", _positive)
RATE = Kind("a number of times per s, m, h or d, like 100/m", lambda text: _matching(r"[1-9]\d{0,8}/[smhd]", text))
NETWORKS = Kind("networks like 10.0.0.0/8 or fd00::/8, comma-separated", _networks)
LEVEL = Kind("DEBUG, INFO, WARNING or ERROR", lambda text: _matching("DEBUG|INFO|WARNING|ERROR", text.upper()))
CACHE = Kind("an address like redis://host:6379/0", _address("redis", "rediss", "unix"))
MAIL = Kind("an address like smtp+tls://user:password@host:587", _address("smtp", "smtps", "smtp+tls", "smtp+ssl"))
DATABASE = Kind(
    "an address like postgres://user:password@host:5432/name, special characters in it percent-encoded", _database
)
