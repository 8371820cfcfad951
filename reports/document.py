"""A report as data: what it says, apart from how HTML and PDF show it. All text is plain text, never markup."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["critical", "warning", "note", "good", "unknown"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "note", "good", "unknown")
"""Worst first, as findings and verdicts are ordered; `unknown` is what could not be judged."""
WORDS: Mapping[Severity, str] = {
    "critical": "Critical",
    "warning": "Warning",
    "note": "Note",
    "good": "Healthy",
    "unknown": "Not measured",
}


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Verdict:
    """How an area stands, the numbers that say so, and what was looked for where nothing was found."""

    severity: Severity
    area: str
    machine: str
    text: str
    numbers: tuple[str, ...] = ()
    checked: str = ""


@dataclass(frozen=True)
class Finding:
    """A rule that fired. `evidence` names metric, window, threshold and number of samples."""

    severity: Severity
    area: str
    machine: str
    title: str
    evidence: tuple[str, ...]
    confidence: str
    advice: str
    reference: str


@dataclass(frozen=True)
class Figure:
    """A chart: a complete Vega-Lite specification, with its data. `alt` says what it shows, from the data."""

    title: str
    caption: str
    alt: str
    spec: Mapping[str, Any]
    half: bool = False


@dataclass(frozen=True)
class Table:
    """Cells as text, a row a list as long as the header; `numeric` columns are set flush right."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()


Block = Paragraph | Verdict | Finding | Figure | Table


@dataclass(frozen=True)
class Section:
    """`level` 1 is a chapter, 2 a part of one. `name` is unique and safe as an anchor."""

    name: str
    title: str
    level: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """`standing` is each area's worst verdict; `facts` are period, time zone, coverage, gaps: both for the first page.

    `dated` is when the data ends (ms). `findings` and `verdicts` are those of all machines, told in sections or not.
    """

    title: str
    subtitle: str
    dated: int
    standing: tuple[tuple[str, Severity], ...]
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    findings: tuple[Finding, ...] = ()
    verdicts: tuple[Verdict, ...] = ()

    def blocks(self) -> Sequence[Block]:
        return [block for section in self.sections for block in section.blocks]

    def figures(self) -> Mapping[str, Figure]:
        """Every chart by a name of its own: `cpu-busy`, or `machine-2-cpu-busy` where machines have chapters."""
        found: dict[str, Figure] = {}
        for section in self.sections:
            machine = re.match(r"machine-\d+-", section.name)
            for block in section.blocks:
                if isinstance(block, Figure):
                    words = re.sub(r"[^a-z0-9]+", "-", block.title.lower()).strip("-") or "chart"
                    name = (machine.group() if machine else "") + words
                    found[name if name not in found else f"{name}-{len(found)}"] = block
        return found
