"""Colours that can be read: contrast as WCAG 2.2 computes it. Colours are #rrggbb."""

from __future__ import annotations

import colorsys

WHITE, BLACK = "#ffffff", "#000000"
READABLE = 4.5
"""The least contrast of text (WCAG 2.2, 1.4.3 AA)."""
_STEPS = 50


def luminance(colour: str) -> float:
    """Relative luminance, 0 for black to 1 for white."""
    red, green, blue = (_linear(value) for value in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """1 for equal colours to 21 for black on white."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def ink_on(ground: str) -> str:
    """Black or white, whichever is read better; one of the two always reaches READABLE."""
    return max((WHITE, BLACK), key=lambda ink: contrast(ink, ground))


def readable_on(colour: str, *grounds: str) -> str:
    """The colour itself, or the nearest lighter or darker one of its hue that can be read on all the grounds."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parts(colour))
    goal = 0.0 if ink_on(grounds[0]) == BLACK else 1.0
    for step in range(_STEPS + 1):
        tried = _hex(colorsys.hls_to_rgb(hue, lightness + (goal - lightness) * step / _STEPS, saturation))
        if all(contrast(tried, ground) >= READABLE for ground in grounds):
            return tried
    return ink_on(grounds[0])


def mixed(colour: str, ground: str, share: float) -> str:
    """`share` of the colour over the ground."""
    pairs = zip(_parts(colour), _parts(ground), strict=True)
    return _hex(tuple(one * share + other * (1 - share) for one, other in pairs))


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(parts: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(min(1.0, max(0.0, part)) * 255):02x}" for part in parts)


def _linear(value: float) -> float:
    return float(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
