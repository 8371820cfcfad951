"""Pages: reports of the tenant's machines, asked for, followed, fetched and deleted."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import roles, tenant_settings
from collectors.models import Collector
from core.errors import ServiceError
from core.limits import client_ip
from portal import report_files
from portal.access import PageRequest, page, wants_fragment
from reports.jobs import queue
from reports.jobs.models import Report

MOST_SHOWN = 200
PERIODS = {"1": "Last 24 hours", "7": "Last 7 days", "30": "Last 30 days", "": "From … to …"}
ZONES = sorted(name for name in available_timezones() if "/" in name or name == "UTC")


class ReportForm(forms.Form):
    """A period that ends now, or two dates in the time zone; the last one is included."""

    title = forms.CharField(label="Title", max_length=120, initial="Performance report")
    machines = forms.MultipleChoiceField(
        label="Machines",
        required=False,
        help_text="None chosen: all of them.",
        widget=forms.SelectMultiple({"size": 6}),
    )
    days = forms.ChoiceField(label="Period", required=False, choices=list(PERIODS.items()), initial="7")
    start = forms.DateField(label="From", required=False, widget=forms.DateInput({"type": "date"}))
    end = forms.DateField(
        label="To",
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text="Included. For a period of dates.",
    )
    time_zone = forms.CharField(
        label="Time zone", max_length=64, initial="UTC", help_text="Of the report's times, as Europe/Berlin.",
        widget=forms.TextInput({"list": "zones", "autocomplete": "off", "data-own-zone": ""}),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = list(Collector.objects.values_list("machine_id", flat=True))
        self.fields["machines"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    def clean_time_zone(self) -> str:
        name = str(self.cleaned_data["time_zone"])
        if name not in ZONES:
            raise ValidationError("There is no such time zone. Begin to type a continent, as in Europe/Berlin.")
        return name

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if not found.get("days") and not (found.get("start") and found.get("end")):
            raise ValidationError("Choose a period, or both dates.")
        return found

    def order(self, now: datetime) -> queue.Order:
        asked = self.cleaned_data
        if asked["days"]:
            start, end = now - timedelta(days=int(asked["days"])), now
        else:
            zone = ZoneInfo(asked["time_zone"])
            start = datetime.combine(asked["start"], time(), zone).astimezone(UTC)
            end = datetime.combine(asked["end"] + timedelta(days=1), time(), zone).astimezone(UTC)
        return queue.Order(asked["title"], asked["machines"], start, end, asked["time_zone"])


@page(roles.REPORTS)
def reports(request: PageRequest) -> HttpResponse:
    """The whole page, or for htmx the list that refreshes while one is being made."""
    if wants_fragment(request):
        return render(request, "portal/reports_list.html", _listed())
    return _show(request, ReportForm(initial={"time_zone": tenant_settings.zone().key}))


@page(roles.REPORTS, "POST")
def ask(request: PageRequest) -> HttpResponse:
    form = ReportForm(request.POST)
    if not form.is_valid():
        return _show(request, form)
    now = timezone.now().replace(second=0, microsecond=0)
    try:
        queue.ask(form.order(now), actor=request.user.email, ip=client_ip(request))
    except ServiceError as error:
        form.add_error(None, error.sentence)
        return _show(request, form)
    messages.success(request, "The report is queued. It appears below when it is made; you need not wait here.")
    return redirect("report-list")


@page(roles.REPORTS)
def read(request: PageRequest, report_id: str, form_name: str) -> HttpResponse:
    report, content = queue.read(report_id, form_name, actor=request.user.email, ip=client_ip(request))
    return report_files.answer(report, form_name, content)


@page(roles.REPORTS, "POST")
def delete(request: PageRequest, report_id: str) -> HttpResponse:
    queue.delete(report_id, actor=request.user.email, ip=client_ip(request))
    messages.success(request, "The report is deleted.")
    return redirect("report-list")


def _listed() -> dict[str, Any]:
    found = list(Report.objects.all()[:MOST_SHOWN])
    return {"reports": found, "forms": queue.FORMS, "is_working": any(not report.is_ended for report in found)}


def _show(request: PageRequest, form: ReportForm) -> HttpResponse:
    return render(request, "portal/reports.html", {"form": form, "zones": ZONES, **_listed()})
