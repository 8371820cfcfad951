"""Which names a partner's schema and host may have."""

from __future__ import annotations

import re

from django.core.exceptions import ValidationError

RESERVED = frozenset(
    {"public", "information_schema", "postgres", "template0", "template1", "default", "test", "www", "api", "admin"}
    | {"static", "media", "mail", "root", "system", "none", "null", "true", "false"}
)
MAX_HOST = 253
"""Characters of a host name (RFC 1035)."""

_SCHEMA = re.compile(r"[a-z][a-z0-9_]{1,47}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def check_schema_name(name: str) -> None:
    """ValidationError unless the name is a safe schema name that PostgreSQL and the product do not use themselves."""
    if not _SCHEMA.fullmatch(name):
        raise ValidationError(f"{name!r} is no partner name: 2 to 48 of a-z, 0-9 and _, a letter first.")
    if name in RESERVED or name.startswith("pg_"):
        raise ValidationError(f"{name!r} is reserved.")


def check_host(host: str) -> None:
    """ValidationError unless the name is a host name in its normal form (RFC 1123), no port, no trailing dot."""
    if len(host) > MAX_HOST or not _HOST.fullmatch(host):
        raise ValidationError(f"{host!r} is no host name: letters, digits, hyphens and dots, lower case, no port.")
    if re.fullmatch(r"[0-9.]+", host):
        raise ValidationError(f"{host!r} is an address: a partner is chosen by a host name.")


def normal_host(raw: str) -> str:
    """A Host header as it is looked up: no port, lower case, one trailing dot stripped."""
    host = raw.rsplit(":", 1)[0] if not raw.endswith("]") and ":" in raw else raw
    host = host.lower()
    return host.removesuffix(".")
