"""Draws the figures of a document, once for HTML and PDF alike."""

from __future__ import annotations

import vl_convert

from reports import svg
from reports.document import Document, Figure

KINDS = (".svg", ".png")


def draw(document: Document) -> list[str]:
    """SVG in light colours of every figure, in order."""
    return [svg.draw(block.spec) for block in document.blocks() if isinstance(block, Figure)]


def alone(figure: Figure, kind: str) -> bytes:
    """One figure as a file of its own, `.svg` or `.png` (twice its size), on white."""
    drawn = svg.draw(figure.spec).replace("<g ", '<rect width="100%" height="100%" fill="#fff"/><g ', 1)
    return bytes(vl_convert.svg_to_png(drawn, scale=2)) if kind == ".png" else drawn.encode()
