"""Draws the figures of a document, once for HTML and PDF alike."""

from __future__ import annotations

import threading

from reports import charts
from reports.document import Document, Figure


def draw(document: Document) -> list[str]:
    """SVG in light colours of every figure, in order."""
    return [charts.to_svg(dict(block.spec)) for block in document.blocks() if isinstance(block, Figure)]


def warm_up() -> threading.Thread:
    """Starts the drawing engine beside other work; its start takes half a second without holding Python's lock."""
    thread = threading.Thread(target=lambda: charts.to_svg(charts.with_rows(charts.sparkline(""), [])), daemon=True)
    thread.start()
    return thread
