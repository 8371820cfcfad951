"""The report as one HTML file: no network, light and dark, readable printed and without its one script.

The page's content security policy lets no other script run than that one, named by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from reports import palette
from reports.document import WORDS, Document, Figure

TEMPLATES = Path(__file__).parent / "templates"
SCRIPT = (TEMPLATES / "report.js").read_text(encoding="utf-8")
_COLOUR = re.compile(r'(?<==")#[0-9a-f]{6}(?=")')
_TAGS = {
    "light": (palette.LIGHT, palette.LIGHT_HEAT, palette.LIGHT_DIVERGING, palette.LIGHT_INK),
    "dark": (palette.DARK, palette.DARK_HEAT, palette.DARK_DIVERGING, palette.DARK_INK),
}


def render(document: Document, drawings: Sequence[str]) -> str:
    """The document with one drawing (SVG in light colours) a figure, in order."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = [block for block in document.blocks() if isinstance(block, Figure)]
    inline = {
        id(figure): _inline(svg, at, figure.alt) for at, (figure, svg) in enumerate(zip(figures, drawings, strict=True))
    }
    return environment.get_template("report.html").render(
        document=document,
        words=WORDS,
        drawing=lambda figure: inline[id(figure)],
        script=Markup(SCRIPT),  # noqa: S704  our own file
        script_hash=f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'",
        kind=lambda block: type(block).__name__,
        light=_variables("light"),
        dark=_variables("dark"),
    )


def _variables(mode: str) -> Mapping[str, str]:
    """Colour of each CSS variable in one mode."""
    lines, heat, diverging, ink = _TAGS[mode]
    named = {f"--chart-{at}": colour for at, colour in enumerate(lines)}
    named |= {f"--heat-{at}": colour for at, colour in enumerate(heat)}
    named |= {f"--diverging-{at}": colour for at, colour in enumerate(diverging)}
    return named | {f"--ink-{name}": colour for name, colour in ink.items()}


_NAMES = {colour: name for name, colour in _variables("light").items()}


def _inline(svg: str, number: int, alt: str) -> Markup:
    """A drawing fit to stand among others: its own ids, colours that follow the mode, a name for screen readers."""
    svg = _COLOUR.sub(lambda hit: f"var({_NAMES[hit[0]]})" if hit[0] in _NAMES else hit[0], svg)
    svg = re.sub(r'(id="|url\(#)([a-z]+\d+)', rf"\1f{number}-\2", svg)
    label = Markup('role="img" aria-label="{}" ').format(alt)
    return Markup(svg.replace("<svg ", f"<svg {label}", 1))  # noqa: S704  Vega escapes its text; the label is escaped here
