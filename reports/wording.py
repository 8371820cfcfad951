"""Numbers, times and lengths as words; the same in every sentence of a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np

from reports.statistics import DAY, HOUR, Times

MINUTE = 60_000


@dataclass(frozen=True)
class Clock:
    """The report's time zone; charts keep the offset at the start of the data, so that no hour repeats or vanishes."""

    zone: ZoneInfo

    def at(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment / 1000, UTC).astimezone(self.zone)

    def offset(self, moment: int) -> int:
        """Milliseconds ahead of UTC at that moment."""
        return round((self.at(moment).utcoffset() or timedelta()).total_seconds() * 1000)

    def say(self, moment: int) -> str:
        return self.at(moment).strftime("%Y-%m-%d %H:%M")

    def local(self, times: Times) -> Times:
        """Wall-clock times, as ms since the epoch of the wall clock; each hour's own offset."""
        hours, place = np.unique(times // HOUR, return_inverse=True)
        offsets = np.array([self.offset(int(hour) * HOUR) for hour in hours], dtype=np.int64)
        return times + offsets[place]

    def name(self, start: int, end: int) -> str:
        """The zone and its offset or offsets in the period: `Europe/Berlin (UTC+02:00, from the change UTC+01:00)`."""
        first, last = (_offset_name(self.offset(moment)) for moment in (start, end))
        return f"{self.zone.key} ({first}" + (f", after the clock change {last})" if first != last else ")")


def _offset_name(offset: int) -> str:
    return "UTC" if offset == 0 else str(timezone(timedelta(milliseconds=offset)))


def number(value: float, unit: str = "") -> str:
    """Three significant digits below a thousand, whole above, with the unit: `7.25 %`, `12,345 MB`."""
    if abs(value) >= 999.5:
        text = f"{value:,.0f}"
    elif value == 0 or abs(value) < 0.0005:
        text = "0" if value == 0 else "under 0.001" if value > 0 else "about 0"
    else:
        text = f"{float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".")
    return f"{text} {unit}".strip()


def count(amount: int, noun: str) -> str:
    """`1 sample`, `10,080 samples`."""
    return f"{amount:,} {noun}" + ("" if amount == 1 else "s")


def percent(share: float) -> str:
    """A share of one as percent; never `100 %` of what is not whole, nor `0 %` of what is not nothing."""
    value = share * 100
    if 99.95 <= value < 100:
        return "over 99.9 %"
    return "under 0.1 %" if 0 < value < 0.05 else f"{round(value, 1):g} %"


def duration(length: int) -> str:
    """A length in ms as its two largest parts: `2 d 3 h`, `45 min`, `10 s`."""
    parts = ((length // DAY, "d"), (length % DAY // HOUR, "h"), (length % HOUR // MINUTE, "min"))
    said = [f"{amount} {unit}" for amount, unit in parts if amount]
    return " ".join(said[:2]) or f"{length / 1000:g} s"
