"""One thing that the doctor has found."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, NOTE, PROBLEM = "good", "note", "problem"


@dataclass(frozen=True)
class Finding:
    """fix: what to do about it, often a command; empty where nothing needs doing."""

    level: str
    text: str
    fix: str = ""
