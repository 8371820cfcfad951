"""The read path for charts: one machine's metrics as columns, from the raw samples or from the hourly roll-ups."""

from __future__ import annotations

from datetime import datetime

from analysis import series_hourly, series_raw
from analysis.series_shapes import Columns, Request, Series

__all__ = ["Columns", "Request", "Series", "read"]

ROLLED_STEP_S = 1800.0
"""From here on points are so far apart that hours serve: half as many points as asked for, at the worst."""


def read(request: Request, now: datetime) -> Series:
    """Roll-ups for a long range, or one whose samples are gone. Five queries at most, whatever the range."""
    gone = request.raw_from is not None and request.start < request.raw_from
    if not gone and request.wanted_step_s < ROLLED_STEP_S:
        return series_raw.read(request, now)
    parts = series_hourly.sources(request)
    return series_hourly.read(request, parts, now) if gone or parts.is_worth_it else series_raw.read(request, now)
