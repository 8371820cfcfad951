"""The report as a PDF through typst: A4, dated by its data, so that the same document gives the same bytes.

The document reaches the template as JSON: a text is a typst string there and never becomes markup or code.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typst

from reports.brand import PLAIN, Brand
from reports.document import WORDS, Block, Document, Figure

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"
FONT = "Libertinus Serif"
"""Typst carries it: the same letters on a machine without fonts, in text and charts alike."""
_FAMILY = re.compile(r'font-family="[^"]*"')


def render(document: Document, drawings: Sequence[str], brand: Brand = PLAIN) -> bytes:
    """The document with one drawing (SVG in light colours) a figure, in order."""
    remaining = iter(drawings)
    content = {
        "brand": {"name": brand.name, "ink": brand.light, "stripe": brand.stripe, "logo": list(brand.logo)},
        "title": document.title,
        "subtitle": document.subtitle,
        "standing": document.standing,
        "facts": document.facts,
        "words": dict(WORDS),
        "sections": [
            {
                "title": section.title,
                "level": section.level,
                "name": section.name,
                "blocks": [_block(block, remaining) for block in section.blocks],
            }
            for section in document.sections
        ],
    }
    pdf = typst.compile(
        TEMPLATE.read_bytes(),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"document": json.dumps(content)},
        timestamp=document.dated // 1000,
    )
    if not isinstance(pdf, bytes):
        raise TypeError("typst gave no PDF")
    return pdf


def _block(block: Block, drawings: Iterator[str]) -> dict[str, Any]:
    kind = type(block).__name__.lower()
    if isinstance(block, Figure):
        svg = _FAMILY.sub(f'font-family="{FONT}"', next(drawings))
        return {
            "kind": kind,
            "title": block.title,
            "caption": block.caption,
            "alt": block.alt,
            "half": block.half,
            "svg": svg,
        }
    return {"kind": kind, **dataclasses.asdict(block)}
