"""An alert's place, time and evidence as messages write them. Names are hostile text (trap 40)."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from zoneinfo import ZoneInfo

from alerts import words
from alerts.models import Alert
from alerts.silent import PORTAL

_DROPPED = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_MEMBERS_NAMED = 5


def plain(text: str, most: int = 180) -> str:
    """One line without control and direction marks: a name must neither break out of a subject nor turn it round."""
    kept = "".join(" " if unicodedata.category(letter) in _DROPPED else letter for letter in text)
    line = " ".join(kept.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def where(alert: Alert) -> str:
    """server1 /srv; 4 machines at 203.0.113.7: web1, web2, …"""
    if alert.collector:
        return plain(f"{alert.collector.machine_id} {alert.instance}", 120)
    if alert.cause == PORTAL:
        return "this portal"
    _, _, address = alert.cause.partition("address:")
    named = ", ".join(alert.members[:_MEMBERS_NAMED]) + (", …" if len(alert.members) > _MEMBERS_NAMED else "")
    return plain(f"{len(alert.members)} machines{' at ' + address if address else ''}: {named}", 120)


def sentence(alert: Alert) -> str:
    """How bad it is, as pages say it: value, threshold and window, or what happened."""
    if "pause_seconds" in alert.evidence:
        return f"Nothing was evaluated for {words.span(alert.evidence['pause_seconds'])}."
    title, bad = alert.evidence.get("title", ""), words.how_bad(alert.evidence)
    said = ": ".join(part for part in (title, bad) if part)
    told = f"{said[:1].upper()}{said[1:]}." if said else ""
    return plain(f"{told} {words.working(alert.evidence)}", 500)


def moment(instant: datetime, zone: ZoneInfo) -> str:
    """In the tenant's time zone, which is named: the reader may be elsewhere."""
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def lasted(alert: Alert, now: datetime) -> str:
    return words.span(max(((alert.resolved_at or now) - alert.since).total_seconds(), 60))
