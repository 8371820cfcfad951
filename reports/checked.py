"""The answer of a condition, and the sentence of evidence that it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Checked:
    """`unknown` when what the condition needs was not measured, or too seldom to judge."""

    state: Literal["met", "clear", "unknown"]
    evidence: str = ""


UNKNOWN = Checked("unknown")
