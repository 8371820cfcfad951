"""The read path for charts: one machine's metrics as columns, from the raw samples or from the hourly roll-ups."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from analysis import series_hourly, series_raw
from analysis.series_shapes import Columns, Request, Series

__all__ = ["Columns", "Request", "Series", "hourly", "read"]

ROLLED_STEP_S = 1800.0
"""From here on points are so far apart that hours serve: half as many points as asked for, at the worst."""


def read(request: Request, now: datetime) -> Series:
    """Roll-ups for a long range, or one whose samples are gone. Five queries at most, whatever the range."""
    gone = request.raw_from is not None and request.start < request.raw_from
    if not gone and request.wanted_step_s < ROLLED_STEP_S:
        return series_raw.read(request, now)
    parts = series_hourly.sources(request)
    return series_hourly.read(request, parts, now) if gone or parts.is_worth_it else series_raw.read(request, now)


def hourly(request: Request, now: datetime) -> Series:
    """Whole hours, from the roll-ups as far as these have come. Three queries."""
    hours = math.ceil((request.end - request.start).total_seconds() / 3600)
    whole = replace(request, points=max(1, hours))
    return series_hourly.read(whole, series_hourly.sources(whole), now)
