"""Page: one machine, its state and its charts."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from accounts import roles
from alerts.models import Alert
from analysis import marks
from analysis.models import AnnotationKind
from collectors import registry
from collectors.models import Collector
from portal import inventory, panels, periods
from portal.access import PageRequest, page, wants_fragment
from portal.alerts import WORST_FIRST
from portal.forms import MAX_SPAN
from portal.gaps import REASONS
from portal.panels import INSTANCE_SECTIONS, SECTIONS, SYSTEM_SECTIONS
from portal.periods import OTHERS_EVERY_S, POINTS, RANGES, Period
from reports import charts


@page(roles.SEE)
def machine(request: PageRequest, machine_id: str) -> HttpResponse:
    """The whole page, or for htmx the head that refreshes."""
    now = timezone.now()
    collector = registry.find(machine_id)
    context = {
        "collector": collector,
        "state": collector.state(now),
        "inventory": inventory.of(collector),
        "booted_at": _instant(inventory.booted_at(collector)),
        "alerts": list(Alert.objects.loud().at(collector).order_by(WORST_FIRST, "-fired_at")),
    }
    if wants_fragment(request):
        return render(request, "portal/machine_head.html", context)
    period = periods.parse(request.GET, _begin(request, collector), now)
    return render(request, "portal/machine.html", context | _charts(request, collector, period))


def _charts(request: PageRequest, collector: Collector, period: Period) -> dict[str, Any]:
    """What the template adds to the head: the period, its tools, and the charts to be drawn."""
    may_annotate = roles.ANNOTATE.allows(request.user)
    return {
        "period": period,
        "ranges": list(RANGES),
        "sections": SYSTEM_SECTIONS,
        "instance_sections": INSTANCE_SECTIONS,
        "may_annotate": may_annotate,
        "kinds": AnnotationKind.choices,
        "page_data": {**_page_data(collector, period), "may_annotate": may_annotate},
    }


def _begin(request: PageRequest, collector: Collector) -> datetime:
    """When the machine's samples begin; a generated machine has a past that its registration does not tell."""
    return collector.created_at - timedelta(days=1) if request.tenant.is_generated else collector.created_at


def _instant(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _page_data(collector: Collector, period: Period) -> dict[str, Any]:
    """What the page's script needs: where to read, what to draw, in which colours."""
    datasets = {section.dataset.name: section.dataset for section in SECTIONS}
    return {
        "machine_id": collector.machine_id,
        "addresses": _addresses(collector),
        "reasons": REASONS,
        "kinds": {**dict(AnnotationKind.choices), marks.REBOOT: "Reboot"},
        "range": period.name,
        "start": period.start,
        "end": period.end,
        "ranges": {name: _milliseconds(span) for name, span in RANGES.items()},
        "longest_ms": _milliseconds(MAX_SPAN),
        "refresh_s": {name: periods.refresh_s(span) for name, span in RANGES.items()},
        "every_s": OTHERS_EVERY_S,
        "points": POINTS,
        "late_ms": settings.LATE_SECONDS * 1000,
        "metrics": {name: panels.metrics(dataset) for name, dataset in datasets.items()},
        "panels": _panels(),
        "themes": {"light": charts.theme(dark=False), "dark": charts.theme(dark=True)},
    }


def _addresses(collector: Collector) -> dict[str, str]:
    names = ("series", "cores", "processes", "annotations", "compare")
    events = reverse("machine-events", args=[collector.machine_id])
    return {**{name: reverse(name) for name in names}, "events": events}


def _panels() -> dict[str, Any]:
    drawn = {
        panel.key: {
            "dataset": panel.dataset.name,
            "unit": panel.unit,
            "series": [asdict(one) for one in panel.series],
            "spec": panel.spec(),
        }
        for section in SECTIONS
        for panel in section.panels
    }
    return {**drawn, "cores": {"dataset": "cores", "unit": "%", "spec": charts.core_map("Cores")}}


def _milliseconds(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
