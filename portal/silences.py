"""Pages: silences and maintenance windows; made, and ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import roles, tenant_settings
from alerts import silences as windows
from alerts import silencing
from alerts.models import Silence
from core.limits import client_ip
from portal.access import PageRequest, page
from portal.alert_forms import SilenceForm

LOOKED_AHEAD = timedelta(days=400)
MOST_PAST = 20


@dataclass(frozen=True)
class Listed:
    """A silence with its occurrence of now, or else its next one; neither of one that is over."""

    silence: Silence
    holds: bool
    begins: datetime | None
    ends: datetime | None


@page(roles.SEE)
def silences(request: PageRequest) -> HttpResponse:
    zone = tenant_settings.zone()
    wished = {name: request.GET[name] for name in ("tags", "name") if name in request.GET}
    initial = {"starts_at": _now(zone), "machine_ids": request.GET.getlist("machine"), **wished}
    return _list(request, SilenceForm(initial=initial), zone)


@page(roles.ALERTS, "POST")
def make(request: PageRequest) -> HttpResponse:
    zone = tenant_settings.zone()
    with timezone.override(zone):
        form = SilenceForm(request.POST)
        is_valid = form.is_valid()
    if not is_valid:
        return _list(request, form, zone)
    wanted = _silence(form, zone)
    try:
        silencing.save_silence(wanted, actor=request.user.email, ip=client_ip(request))
    except ValidationError as error:
        _take(form, error)
        return _list(request, form, zone)
    messages.success(request, f"{wanted.name}: alerts go on being recorded, but nobody is told while it holds.")
    return redirect("silences")


@page(roles.ALERTS, "POST")
def end(request: PageRequest, silence_id: int) -> HttpResponse:
    found = Silence.objects.filter(pk=silence_id).first()
    if found is None:
        raise Http404("There is no such silence.")
    name = found.name
    silencing.end_silence(found, actor=request.user.email, ip=client_ip(request))
    messages.success(request, f"{name} is over. What still fires is told from now on.")
    return redirect("silences")


def _now(zone: ZoneInfo) -> str:
    return f"{timezone.now().astimezone(zone):%Y-%m-%dT%H:%M}"


def _silence(form: SilenceForm, zone: ZoneInfo) -> Silence:
    """The last day is included, to its end in the time zone."""
    asked = form.cleaned_data
    starts, recurrence, last = asked["starts_at"], asked["recurrence"], asked["ends_on"]
    midnight = datetime(last.year, last.month, last.day, tzinfo=zone) + timedelta(days=1) if last else None
    return Silence(
        name=asked["name"], machine_ids=asked["machine_ids"], tags=asked["tags"], rule=asked["rule"], starts_at=starts,
        recurrence=recurrence, minutes=asked["minutes"] if recurrence else None,
        ends_at=midnight if recurrence else starts + form.length,
    )  # fmt: skip


def _take(form: SilenceForm, error: ValidationError) -> None:
    shown = {"recurrence": "own_recurrence" if form.data.get("recurrence") == "own" else "recurrence"}
    for name, sentences in error.message_dict.items():
        field = shown.get(name, name)
        form.add_error(field if field in form.fields else None, sentences)


def _list(request: PageRequest, form: SilenceForm, zone: ZoneInfo) -> HttpResponse:
    now = timezone.now()
    listed = list(_listed(now, zone))
    current = [one for one in listed if one.begins is not None]
    past = [one for one in listed if one.begins is None][:MOST_PAST]
    context = {
        "current": sorted(current, key=lambda one: one.begins or now), "past": past, "form": form,
        "zone": zone.key, "can_act": roles.ALERTS.allows(request.user),
    }  # fmt: skip
    with timezone.override(zone):
        return render(request, "alerts/silences.html", context)


def _listed(now: datetime, zone: ZoneInfo) -> Iterator[Listed]:
    for silence in Silence.objects.select_related("rule"):
        begins, ends = next(windows.occurrences(silence, now, now + LOOKED_AHEAD, zone), (None, None))
        yield Listed(silence, begins is not None and begins <= now, begins, ends)
