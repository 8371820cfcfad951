"""The findings of a report for machines to read: JSON with sorted keys, the same bytes for the same data."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

from reports.document import Document

VERSION = 1


def render(document: Document) -> str:
    """Title, period, facts, each area's standing, and every finding and verdict with its evidence."""
    content = {
        "version": VERSION,
        "title": document.title,
        "subtitle": document.subtitle,
        "dated": datetime.fromtimestamp(document.dated / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "facts": dict(document.facts),
        "standing": dict(document.standing),
        "findings": [dataclasses.asdict(finding) for finding in document.findings],
        "verdicts": [dataclasses.asdict(verdict) for verdict in document.verdicts],
    }
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
