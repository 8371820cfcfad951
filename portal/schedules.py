"""Pages: reports that are made and mailed by themselves, every week or month."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import roles, tenant_settings
from collectors.models import Collector
from core.errors import ServiceError
from core.limits import client_ip
from portal.access import PageRequest, page
from reports.jobs import calendar, deliveries
from reports.jobs import schedules as write
from reports.jobs.models import Every, Occurrence, Schedule
from reports.jobs.schedules import Plan

DAYS_OF_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WHEN = [
    (
        "Every week, of the week before",
        [(f"week-{at}", f"Every week on {name}") for at, name in enumerate(DAYS_OF_WEEK)],
    ),
    ("Every month, of the month before", [(f"month-{day}", f"Every month on day {day}") for day in range(1, 32)]),
]
HOURS = [(hour, f"{hour:02d}:00") for hour in range(24)]
TIMES_SHOWN = 12


class ScheduleForm(forms.Form):
    """A day that a month lacks is its last."""

    title = forms.CharField(label="Title", max_length=120, initial="Weekly report")
    when = forms.ChoiceField(
        label="When", choices=WHEN, initial="week-0", help_text="Day 31 is the last one of a shorter month."
    )
    hour = forms.TypedChoiceField(label="At", choices=HOURS, coerce=int, initial=6)
    machines = forms.MultipleChoiceField(
        label="Machines", required=False, widget=forms.SelectMultiple({"size": 5}),
        help_text="None chosen, and no tag: all of them.",
    )  # fmt: skip
    tag = forms.ChoiceField(
        label="Or those with a tag", required=False, help_text="Whichever machines have it when the report is made."
    )
    recipients = forms.CharField(
        label="Mail it to", required=False, max_length=4000,
        widget=forms.Textarea({"rows": 3, "placeholder": "ops@example.com", "autocapitalize": "none"}),
        help_text=f"The summary in the mail, the PDF attached. An address a line, {write.MOST_RECIPIENTS} at most.",
    )  # fmt: skip

    def __init__(self, data: QueryDict | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        rows = list(Collector.objects.values_list("machine_id", "tags"))
        tags = sorted({str(tag) for _, own in rows for tag in own})
        self._choose("machines", [(name, name) for name, _ in rows])
        self._choose("tag", [("", "No tag"), *((tag, tag) for tag in tags)])
        if not settings.SENDS_MAIL:
            self.fields["recipients"].disabled = True
            self.fields["recipients"].help_text = write.NO_MAIL

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        """What a schedule has already stays to be chosen, also when it is gone."""
        kept = self.initial.get(name) or []
        known = {value for value, _ in choices}
        gone = [value for value in ([kept] if isinstance(kept, str) else kept) if value not in known]
        self.fields[name].choices = [*choices, *((value, value) for value in gone)]  # type: ignore[attr-defined]

    def clean_recipients(self) -> list[str]:
        found = [part for part in re.split(r"[\s,;]+", self.cleaned_data["recipients"]) if part]
        for address in found:
            try:
                validate_email(address)
            except ValidationError:
                raise ValidationError(f"“{address[:64]}” is no e-mail address.") from None
        return found

    def plan(self) -> Plan:
        found = self.cleaned_data
        every, _, day = found["when"].partition("-")
        return Plan(
            found["title"], every, int(day), found["hour"], found["machines"], found["tag"], found["recipients"]
        )

    @staticmethod
    def of(schedule: Schedule, data: QueryDict | None = None) -> ScheduleForm:
        now = {
            "title": schedule.title, "when": f"{schedule.every}-{schedule.day}", "hour": schedule.hour,
            "machines": schedule.machine_ids, "tag": schedule.tag, "recipients": "\n".join(schedule.recipients),
        }  # fmt: skip
        return ScheduleForm(data, initial=now)


@dataclass(frozen=True)
class Row:
    """A schedule as the list shows it. next: in the tenant's time zone, empty while it is paused."""

    schedule: Schedule
    next: str
    latest: Occurrence | None

    @property
    def when(self) -> str:
        schedule = self.schedule
        day = DAYS_OF_WEEK[schedule.day] if schedule.every == Every.WEEK else f"day {schedule.day}"
        return f"{schedule.get_every_display()} on {day}, {schedule.hour:02d}:00"


@page(roles.REPORTS)
def schedules(request: PageRequest) -> HttpResponse:
    return _list(request, ScheduleForm())


@page(roles.REPORTS, "POST")
def make(request: PageRequest) -> HttpResponse:
    form = ScheduleForm(request.POST)
    if not form.is_valid():
        return _list(request, form)
    try:
        made = write.make(form.plan(), timezone.now(), actor=request.user.email, ip=client_ip(request))
    except ServiceError as error:
        form.add_error(None, error.sentence)
        return _list(request, form)
    messages.success(request, f"“{made.title}” is scheduled.")
    return redirect("schedules")


@page(roles.REPORTS)
def schedule(request: PageRequest, schedule_id: str) -> HttpResponse:
    found = write.find(schedule_id)
    return _one(request, found, ScheduleForm.of(found))


@page(roles.REPORTS, "POST")
def change(request: PageRequest, schedule_id: str) -> HttpResponse:
    found = write.find(schedule_id)
    form = ScheduleForm.of(found, request.POST)
    if not form.is_valid():
        return _one(request, found, form)
    try:
        write.change(schedule_id, form.plan(), timezone.now(), actor=request.user.email, ip=client_ip(request))
    except ServiceError as error:
        form.add_error(None, error.sentence)
        return _one(request, found, form)
    messages.success(request, "The schedule is changed.")
    return redirect("schedule", schedule_id)


@page(roles.REPORTS, "POST")
def pause(request: PageRequest, schedule_id: str) -> HttpResponse:
    write.pause(schedule_id, actor=request.user.email, ip=client_ip(request))
    messages.success(request, "The schedule is paused.")
    return redirect("schedules")


@page(roles.REPORTS, "POST")
def resume(request: PageRequest, schedule_id: str) -> HttpResponse:
    write.resume(schedule_id, timezone.now(), actor=request.user.email, ip=client_ip(request))
    messages.success(request, "The schedule goes on from its next time; what was missed is not made up for.")
    return redirect("schedules")


@page(roles.REPORTS, "POST")
def run(request: PageRequest, schedule_id: str) -> HttpResponse:
    """A refusal, as of a tag that no machine has any more, is said on the page."""
    try:
        write.run(schedule_id, tenant_settings.zone(), timezone.now(), actor=request.user.email, ip=client_ip(request))
    except ServiceError as error:
        if error.code.code == "REQUEST_001":
            raise
        messages.error(request, error.sentence)
    else:
        messages.success(request, "The report is queued, of the last whole week or month.")
    return redirect("schedule", schedule_id)


@page(roles.REPORTS, "POST")
def delete(request: PageRequest, schedule_id: str) -> HttpResponse:
    write.delete(schedule_id, actor=request.user.email, ip=client_ip(request))
    messages.success(request, "The schedule is deleted. The reports that it made stay.")
    return redirect("schedules")


@page(roles.REPORTS, "POST")
def mail_again(request: PageRequest, schedule_id: str, occurrence_id: int) -> HttpResponse:
    """Those mails of one report that were given up."""
    found = write.find(schedule_id).occurrences.filter(pk=occurrence_id).first()
    if found is None:
        raise ServiceError("REQUEST_001", "This schedule has no such report.")
    deliveries.again(found.pk)
    messages.success(request, "The mail is tried again.")
    return redirect("schedule", schedule_id)


def _list(request: PageRequest, form: ScheduleForm) -> HttpResponse:
    zone, now = tenant_settings.zone(), timezone.now()
    rows = [_row(found, zone, now) for found in Schedule.objects.prefetch_related("occurrences")]
    told = {"rows": rows, "form": form, "zone": zone.key, "sends_mail": settings.SENDS_MAIL}
    return render(request, "portal/schedules.html", told)


def _row(found: Schedule, zone: ZoneInfo, now: datetime) -> Row:
    due = calendar.upcoming(found.timing, zone, now).due.astimezone(zone)
    return Row(found, "" if found.paused else f"{due:%Y-%m-%d %H:%M}", next(iter(found.occurrences.all()), None))


def _one(request: PageRequest, found: Schedule, form: ScheduleForm) -> HttpResponse:
    zone = tenant_settings.zone()
    times = found.occurrences.select_related("report").prefetch_related("deliveries")[:TIMES_SHOWN]
    told = {"row": _row(found, zone, timezone.now()), "form": form, "zone": zone.key, "times": times}
    return render(request, "portal/schedule.html", told)
