"""Whose report it is: name, colour and logo on its pages. The colour is made readable where it is text."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from core.colours import readable_on
from reports.reading import ExportError, show

PANELS = ("#ffffff", "#f6f8fa")
DARK_PANELS = ("#12181e", "#1a222a")
OWN_LIGHT, OWN_DARK = "#0b4a75", "#9cc8ff"
LOGO_BYTES = 2_000_000
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Brand:
    """colour: #rrggbb or empty for the product's own. logo: PNG, or empty."""

    name: str = ""
    colour: str = ""
    logo: bytes = b""

    @property
    def light(self) -> str:
        """On paper and light pages."""
        return readable_on(self.colour, *PANELS) if self.colour else OWN_LIGHT

    @property
    def dark(self) -> str:
        return readable_on(self.colour, *DARK_PANELS) if self.colour else OWN_DARK

    @property
    def stripe(self) -> str:
        """The colour itself, for lines that nobody has to read."""
        return self.colour or OWN_LIGHT

    @property
    def logo_address(self) -> str:
        """For an `img` element."""
        return f"data:image/png;base64,{base64.b64encode(self.logo).decode()}" if self.logo else ""


PLAIN = Brand()


def make(name: str, colour: str, logo: Path | None) -> Brand:
    """Raises ExportError for a colour or logo that is none."""
    if colour and not _COLOUR.fullmatch(colour.lower()):
        raise ExportError(f"{show(colour[:40])!r} is no colour; write it as #0b5c93.")
    return Brand(show(name[:80]), colour.lower(), _logo(logo) if logo else b"")


def _logo(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ExportError(f"{show(path.name)} cannot be read: {error.strerror}.") from None
    if not data.startswith(_PNG) or len(data) > LOGO_BYTES:
        raise ExportError(f"{show(path.name)} is no logo: a PNG of at most {LOGO_BYTES // 1_000_000} MB is one.")
    return data
