"""Why there is a gap: what happened between two samples, for the portal and for people."""

from __future__ import annotations

import time
from typing import Any, Optional

MAX_EVENTS = 100
_LASTING = ("samples_dropped", "samples_refused")

Event = dict[str, Any]
"""since, until, detail, and kind: agent_stopped, host_down, suspended, clock_set, late, samples_dropped or _refused."""


def event(kind: str, since: float, until: float, detail: str = "") -> Event:
    """since, until: seconds since 1970 by the wall clock."""
    return {"kind": kind, "since": _rfc3339(since), "until": _rfc3339(until), "detail": detail, "sent": False}


def after_start(last_sample: float, boot_id: str, now: float, boot_id_now: str, tolerated: float) -> Optional[Event]:
    """What lies between the last sample of the process before and this one; None for a restart in no time."""
    if not last_sample or now - last_sample <= tolerated:
        return None
    if boot_id and boot_id_now and boot_id != boot_id_now:
        return event("host_down", last_sample, now, "the machine was rebooted")
    return event("agent_stopped", last_sample, now)


def added(events: list[Event], new: Event) -> list[Event]:
    """More drops of one long outage prolong its event; beyond the bound the oldest go."""
    if events and new["kind"] in _LASTING and _same(events[-1], new):
        return [*events[:-1], {**events[-1], "until": new["until"]}]
    return [*events, new][-MAX_EVENTS:]


def _same(last: Event, new: Event) -> bool:
    return (last["kind"], last["detail"], last["sent"]) == (new["kind"], new["detail"], new["sent"])


def unsent(events: list[Event]) -> list[Event]:
    """As the portal gets them."""
    return [_told(event) for event in events if not event["sent"]]


def marked(events: list[Event], sent: list[Event]) -> list[Event]:
    """One that grew while it was under way is sent again."""
    return [{**event, "sent": event["sent"] or _told(event) in sent} for event in events]


def _told(event: Event) -> Event:
    return {name: value for name, value in event.items() if name != "sent"}


def _rfc3339(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(moment, 0.0)))
