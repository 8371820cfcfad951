"""The webhook's body, version 1: what a program needs of a message. Fields are only added; else it is a new version.

docs/notifications.md describes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from alerts.models import Alert, Message
from alerts.sending.phrases import where

VERSION = 1


def of_message(
    message: Message, title: str, alerts: Sequence[Mapping[str, Any]], more: int, link: str
) -> dict[str, Any]:
    return {
        "version": VERSION, "id": message.key, "kind": message.kind, "severity": message.severity, "title": title,
        "created_at": message.created_at.isoformat(), "alerts": list(alerts), "more": more, "link": link,
    }  # fmt: skip


def of_alert(alert: Alert, sentence: str, chart: str, link: str) -> dict[str, Any]:
    """value, threshold and the rest of the evidence are as the evaluation wrote them down."""
    return {
        "id": alert.public_id, "rule": alert.rule_name, "severity": alert.severity, "state": alert.state,
        "machine": alert.collector.machine_id if alert.collector else None, "instance": alert.instance or None,
        "machines": alert.members, "where": where(alert), "since": alert.since.isoformat(),
        "fired_at": _instant(alert.fired_at), "resolved_at": _instant(alert.resolved_at),
        "resolution": alert.resolution or None, "value": alert.value, "sentence": sentence, "evidence": alert.evidence,
        "links": {"chart": chart or None, "alert": link},
    }  # fmt: skip


def _instant(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
