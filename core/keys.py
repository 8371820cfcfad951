"""Random keys of every kind: `<prefix>_<id>_<secret>`, shown once, stored as id and SHA-256.

A random secret of 256 bits needs no slow password hash: there is nothing to guess from (DESIGN.md, section 5).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

_FORM = re.compile(r"(pf[a-z])_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NO_DIGEST = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Secret:
    """A key in clear, in memory only."""

    prefix: str
    public_id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.prefix}_{self.public_id}_{self.secret}"

    def __repr__(self) -> str:
        return f"<{self.prefix}_{self.public_id}>"

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def matches(self, digest: str | None) -> bool:
        """Compared in constant time; an unknown key (None) costs the same."""
        return hmac.compare_digest(self.digest, digest or _NO_DIGEST)


def generate(prefix: str) -> Secret:
    return Secret(prefix, secrets.token_hex(8), secrets.token_urlsafe(32))


def parse(text: str, *prefixes: str) -> Secret | None:
    """A key of one of the prefixes as a client sent it, or None when it does not have the form of one."""
    match = _FORM.fullmatch(text)
    return Secret(*match.groups()) if match and match[1] in prefixes else None
