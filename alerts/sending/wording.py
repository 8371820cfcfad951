"""How names and times of an alert are written in messages. Names are hostile text (trap 40)."""

from __future__ import annotations

import unicodedata

PAYLOAD_VERSION = 1
_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def plain(text: str, most: int = 180) -> str:
    """One line without control and direction marks: a name must neither break out of a subject nor turn it round."""
    kept = "".join(" " if unicodedata.category(letter) in _DROPPED else letter for letter in text)
    line = " ".join(kept.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
