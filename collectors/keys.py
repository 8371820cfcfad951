"""Keys of machines and enrolment tokens."""

from __future__ import annotations

from core import keys
from core.keys import Secret, generate

__all__ = ["ENROLMENT", "MACHINE", "Secret", "generate", "parse"]

MACHINE = "pfa"
ENROLMENT = "pfe"


def parse(text: str) -> Secret | None:
    return keys.parse(text, MACHINE, ENROLMENT)
