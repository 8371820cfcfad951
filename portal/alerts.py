"""Pages: open alerts and those that were, one alert with its history, and taking charge of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import roles
from alerts import handling
from alerts.models import Alert, Severity
from alerts.sending.models import Channel
from core.limits import client_ip
from portal import alert_charts
from portal.access import PageRequest, page, wants_fragment

A_PAGE = 50
WORST_FIRST = Case(
    *(When(severity=one, then=Value(rank)) for rank, one in enumerate(reversed(Severity.values))),
    output_field=IntegerField(),
)


class FilterForm(forms.Form):
    """What of the history is shown; anything that is not understood shows all."""

    severity = forms.ChoiceField(required=False, choices=[("", "Any severity"), *Severity.choices])
    machine = forms.CharField(
        required=False, max_length=128, widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"})
    )
    rule = forms.CharField(required=False, max_length=120, widget=forms.TextInput({"autocomplete": "off"}))


class NoteForm(forms.Form):
    note = forms.CharField(
        label="Note", required=False, max_length=500,
        widget=forms.TextInput({"placeholder": "What you know or do about it", "autocomplete": "off"}),
    )  # fmt: skip


@page(roles.SEE)
def alerts(request: PageRequest) -> HttpResponse:
    """The worst first; for htmx the list that refreshes."""
    found = _with_machines(Alert.objects.loud()).order_by(WORST_FIRST, "-fired_at")
    context: dict[str, Any] = {"alerts": list(found), "can_act": roles.ALERTS.allows(request.user)}
    if wants_fragment(request):
        return render(request, "alerts/open_list.html", context)
    working = [channel for channel in Channel.objects.all() if channel.works]
    context |= {"failing": [channel for channel in working if channel.is_failing], "is_told": bool(working)}
    return render(request, "alerts/open.html", context)


@page(roles.SEE)
def history(request: PageRequest) -> HttpResponse:
    """Everything that ever fired, newest first."""
    form = FilterForm(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    found = _chosen(_with_machines(Alert.objects.ever_fired()), chosen).order_by("-fired_at", "-id")
    shown = Paginator(found, A_PAGE).get_page(request.GET.get("page"))
    context = {"form": form, "page": shown, "query": urlencode(chosen), "is_filtered": bool(chosen)}
    return render(request, "alerts/history.html", context)


@page(roles.SEE)
def alert(request: PageRequest, alert_id: str) -> HttpResponse:
    return _one(request, _find(alert_id), NoteForm())


@page(roles.ALERTS, "POST")
def acknowledge(request: PageRequest, alert_id: str) -> HttpResponse:
    done = "is yours: no repeats, and nobody is called instead of you"
    return _move(request, alert_id, handling.acknowledge, done, "is not firing any more")


@page(roles.ALERTS, "POST")
def withdraw(request: PageRequest, alert_id: str) -> HttpResponse:
    done = "is nobody's again: it repeats and escalates as its rule says"
    return _move(request, alert_id, handling.withdraw, done, "was not acknowledged")


def _move(request: PageRequest, alert_id: str, move: Callable[..., bool], done: str, refused: str) -> HttpResponse:
    """From the list or the alert's own page, to which `next` leads back."""
    found, form = _find(alert_id), NoteForm(request.POST)
    if not form.is_valid():
        return _one(request, found, form)
    if move(found, actor=request.user.email, ip=client_ip(request), note=form.cleaned_data["note"]):
        messages.success(request, f"{found.rule_name} {done}.")
    else:
        messages.warning(request, f"{found.rule_name} {refused}.")
    return _back(request, found)


def _back(request: PageRequest, found: Alert) -> HttpResponse:
    return redirect("alerts") if request.POST.get("next") == "list" else redirect("alert", found.public_id)


def _find(alert_id: str) -> Alert:
    """One that people see: past its grace time."""
    found = _with_machines(Alert.objects.ever_fired()).filter(public_id=alert_id).first()
    if found is None:
        raise Http404("There is no such alert.")
    return found


def _one(request: PageRequest, found: Alert, form: NoteForm) -> HttpResponse:
    now = timezone.now()
    context = {
        "alert": found, "changes": list(found.changes.all()), "form": form,
        "chart": alert_charts.of_alert(found, now), "until": found.resolved_at or now,
        "can_act": roles.ALERTS.allows(request.user),
    }  # fmt: skip
    return render(request, "alerts/alert.html", context)


def _with_machines(found: QuerySet[Alert]) -> QuerySet[Alert]:
    return found.select_related("rule", "collector")


def _chosen(found: QuerySet[Alert], chosen: dict[str, str]) -> QuerySet[Alert]:
    columns = {"severity": "severity", "machine": "collector__machine_id__iexact", "rule": "rule_name__icontains"}
    return found.filter(**{columns[name]: value for name, value in chosen.items()})
