"""A tenant's logo: whatever picture is uploaded is drawn anew as a small PNG, so that nothing else of it is kept."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from PIL import Image

MAX_BYTES = 1_048_576
MAX_SIDE = 4_096
BOX = (480, 120)
"""Pixels that it is made to fit: three times its height at the top of a page."""
FORMATS = ("PNG", "JPEG", "WEBP")


@dataclass(frozen=True)
class Logo:
    """PNG bytes, and the size in pixels; `digest` names the bytes in an address that may be cached."""

    png: bytes
    width: int
    height: int

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.png).hexdigest()[:16] if self.png else ""


NONE = Logo(b"", 0, 0)


def drawn(data: bytes) -> Logo:
    """Without metadata; ValidationError for what is too large, or no picture of FORMATS (so no SVG)."""
    if len(data) > MAX_BYTES:
        raise ValidationError(f"The file has {len(data):,} bytes; {MAX_BYTES:,} at most.")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture)  # known from the header, before a pixel is unpacked
            pixels = picture.convert("RGBA")
    except ValidationError:
        raise
    except Exception:  # a damaged picture makes Pillow raise whatever its decoder stumbles over
        raise ValidationError("This is no PNG, JPEG or WebP picture, or it is damaged.") from None
    pixels.thumbnail(BOX)
    bare = Image.new("RGBA", pixels.size)
    bare.paste(pixels)
    written = io.BytesIO()
    bare.save(written, "PNG", optimize=True)
    return Logo(written.getvalue(), *bare.size)


def _check_size(picture: Image.Image) -> None:
    if max(picture.size) > MAX_SIDE:
        width, height = picture.size
        raise ValidationError(f"The picture has {width:,} × {height:,} pixels; {MAX_SIDE:,} a side at most.")
