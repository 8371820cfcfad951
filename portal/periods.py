"""Which period a machine's page shows: a range that ends now, or two fixed instants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.http import QueryDict

from core.errors import ServiceError
from portal.forms import PeriodForm

RANGES = {
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "6h": timedelta(hours=6),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "90d": timedelta(days=90),
    "1y": timedelta(days=365),
    "2y": timedelta(days=730),
}
LONGEST_DEFAULT = "6h"
POINTS = 400
OTHERS_EVERY_S = 45
"""What stands beside the main series is read this seldom, so that five open pages stay under 100 requests a minute."""


@dataclass(frozen=True)
class Period:
    """name: a key of RANGES, empty for fixed instants. follows: the end moves with the clock."""

    name: str
    start: datetime
    end: datetime

    @property
    def follows(self) -> bool:
        return bool(self.name)

    @property
    def span(self) -> timedelta:
        return self.end - self.start


def refresh_s(span: timedelta) -> int:
    """Seconds between two reads of the main series of a range that ends now."""
    if span <= timedelta(hours=24):
        return 10
    return 60 if span <= timedelta(days=7) else 300


def default(since: datetime, now: datetime) -> str:
    """The shortest range that shows a young machine's whole life, so that its first minutes fill the chart."""
    fitting = (name for name, span in RANGES.items() if now - since <= span or name == LONGEST_DEFAULT)
    return next(fitting)


def parse(query: QueryDict, since: datetime, now: datetime) -> Period:
    """The period of an address: `from` and `to`, else `range`, else one that suits a machine registered at `since`.

    ServiceError for a period that cannot be.
    """
    if "from" in query or "to" in query:
        form = PeriodForm({"start": query.get("from"), "end": query.get("to")})
        if not form.is_valid():
            problems = " ".join(str(message) for messages in form.errors.values() for message in messages)
            raise ServiceError("REQUEST_003", f"The period is not understood: {problems}")
        return Period("", form.cleaned_data["start"].astimezone(UTC), form.cleaned_data["end"].astimezone(UTC))
    name = query.get("range") or default(since, now)
    if name not in RANGES:
        raise ServiceError("REQUEST_003", f"There is no range {name[:20]!r}; known: {', '.join(RANGES)}.")
    return Period(name, now - RANGES[name], now)
