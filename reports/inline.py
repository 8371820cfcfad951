"""Drawings inside an HTML page: their colours become CSS variables, so that they follow light and dark."""

from __future__ import annotations

import re
from collections.abc import Mapping

from markupsafe import Markup

from reports import palette

_COLOUR = re.compile(r'(?<==")#[0-9a-f]{6}(?=")')
_TAGS = {
    "light": (palette.LIGHT, palette.LIGHT_HEAT, palette.LIGHT_DIVERGING, palette.LIGHT_INK),
    "dark": (palette.DARK, palette.DARK_HEAT, palette.DARK_DIVERGING, palette.DARK_INK),
}


def variables(mode: str) -> Mapping[str, str]:
    """Colour of each CSS variable, light or dark."""
    lines, heat, diverging, ink = _TAGS[mode]
    named = {f"--chart-{at}": colour for at, colour in enumerate(lines)}
    named |= {f"--heat-{at}": colour for at, colour in enumerate(heat)}
    named |= {f"--diverging-{at}": colour for at, colour in enumerate(diverging)}
    return named | {f"--ink-{name}": colour for name, colour in ink.items()}


_NAMES = {colour: name for name, colour in variables("light").items()}


def themed(svg: str, name: str, alt: str) -> Markup:
    """A drawing fit to stand among others: its own ids, that begin with `name`, and a text for screen readers."""
    svg = _COLOUR.sub(lambda hit: f"var({_NAMES[hit[0]]})" if hit[0] in _NAMES else hit[0], svg)
    svg = re.sub(r'(id="|url\(#)([a-z]+\d+)', rf"\1{name}-\2", svg)
    label = Markup('role="img" aria-label="{}" ').format(alt)
    return Markup(svg.replace("<svg ", f"<svg {label}", 1))  # noqa: S704  its text is escaped, and so is the label
