"""Draws the figures of a document, once for HTML and PDF alike."""

from __future__ import annotations

from reports import svg
from reports.document import Document, Figure


def draw(document: Document) -> list[str]:
    """SVG in light colours of every figure, in order."""
    return [svg.draw(block.spec) for block in document.blocks() if isinstance(block, Figure)]
