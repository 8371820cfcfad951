"""The report as one HTML file: no network, light and dark, readable printed and without its one script.

The page's content security policy lets no other script run than that one, named by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import inline
from reports.brand import PLAIN, Brand
from reports.document import WORDS, Document, Figure

TEMPLATES = Path(__file__).parent / "templates"
SCRIPT = (TEMPLATES / "report.js").read_text(encoding="utf-8")


def render(document: Document, drawings: Sequence[str], brand: Brand = PLAIN) -> str:
    """The document with one drawing (SVG in light colours) a figure, in order."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = [block for block in document.blocks() if isinstance(block, Figure)]
    drawn = {
        id(figure): inline.themed(svg, f"f{at}", figure.alt)
        for at, (figure, svg) in enumerate(zip(figures, drawings, strict=True))
    }
    return environment.get_template("report.html").render(
        document=document,
        brand=brand,
        words=WORDS,
        drawing=lambda figure: drawn[id(figure)],
        script=Markup(SCRIPT),  # noqa: S704  our own file
        script_hash=f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'",
        kind=lambda block: type(block).__name__,
        light=inline.variables("light"),
        dark=inline.variables("dark"),
    )
