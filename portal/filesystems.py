"""Part of a machine's page: how full its filesystems are, and in how many days they will be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts import roles
from analysis import series
from analysis.series_shapes import Columns
from analysis.trends import Filling, fill
from collectors import registry
from collectors.models import Collector
from core.catalogue import FILESYSTEMS
from portal.access import PageRequest, page
from reports.filesystems import say_days

HISTORY = timedelta(days=30)
SOON_DAYS, NEAR_DAYS = 14, 60
METRICS = ("total_mb", "used_mb", "available_mb", "used_percent", "inodes_used_percent")


@dataclass(frozen=True)
class Filesystem:
    """Its newest hour, and what the growth of its daily means says of the days to come (None: nothing was measured)."""

    mount: str
    used_percent: float | None
    inodes_percent: float | None
    used_mb: float | None
    total_mb: float | None
    growth: Filling | None

    @property
    def until_full(self) -> str:
        return say_days(self.growth) if self.growth else "not measured"

    @property
    def per_day_mb(self) -> float | None:
        trend = self.growth.trend if self.growth else None
        return trend.per_day if trend and trend.is_certain else None

    @property
    def level(self) -> str:
        """How soon it matters, by the earliest day of being full."""
        days = self.growth.days if self.growth else None
        if days is None or days[0] > NEAR_DAYS:
            return ""
        return "soon" if days[0] <= SOON_DAYS else "near"


@page(roles.SEE)
def filesystems(request: PageRequest, machine_id: str) -> HttpResponse:
    """A fragment: the page asks for it once it is on screen."""
    collector = registry.find(machine_id)
    found = read(collector, timezone.now())
    return render(request, "portal/machine_filesystems.html", {"filesystems": found, "days": HISTORY.days})


def read(collector: Collector, now: datetime) -> list[Filesystem]:
    """The fullest soonest first; three queries."""
    hours = series.hourly(series.Request(collector.pk, FILESYSTEMS, METRICS, now - HISTORY, now), now)
    return sorted(map(_filesystem, hours.columns), key=_urgency)


def _urgency(one: Filesystem) -> tuple[float, float, str]:
    days = one.growth.days if one.growth else None
    return (days[0] if days else float("inf"), -(one.used_percent or 0), one.mount)


def _filesystem(columns: Columns) -> Filesystem:
    percent, inodes, used, total = (
        _newest(columns, name) for name in ("used_percent", "inodes_used_percent", "used_mb", "total_mb")
    )
    return Filesystem(columns.instance or "", percent, inodes, used, total, _growth(columns))


def _newest(columns: Columns, name: str) -> float | None:
    return next((value for value in reversed(columns.mean.get(name, [])) if value is not None), None)


def _growth(columns: Columns) -> Filling | None:
    """Of used + available, as df counts; of the size where the latter was not measured."""
    used, available, total = (_newest(columns, name) for name in ("used_mb", "available_mb", "total_mb"))
    whole = total if used is None or available is None else used + available
    if used is None or whole is None:
        return None
    values = np.array(columns.mean["used_mb"], dtype=np.float64)
    return fill(np.array(columns.timestamps, dtype=np.int64), values, whole)
