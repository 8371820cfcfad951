"""Use of filesystems, as `df` reckons it: used ÷ (used + available), so that root's reserve is not counted as free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.catalogue import MIB

from agent.readers.files import clean_name
from agent.readers.filesystems import Usage


def rows(usages: Mapping[str, Usage]) -> list[dict[str, Any]]:
    return [_row(point, usage) for point, usage in usages.items()]


def _row(point: str, usage: Usage) -> dict[str, Any]:
    used = usage.total - usage.free
    usable = used + usage.available
    return {
        "mount": clean_name(point)[:255],
        "device": clean_name(usage.mount.device)[:255],
        "fstype": clean_name(usage.mount.fstype),
        "total_mb": usage.total / MIB,
        "used_mb": used / MIB,
        "available_mb": usage.available / MIB,
        "used_percent": 100 * used / usable if usable else None,
        "inodes_used_percent": 100 * (1 - usage.inodes_available / usage.inodes) if usage.inodes else None,
    }
