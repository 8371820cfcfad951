"""Pages: the rules of alerts; made, changed, switched, deleted, taken out and in as YAML, rehearsed before saving."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import roles
from alerts import handling
from alerts.models import Kind, Rule
from alerts.rules_file import RulesFileError
from core.limits import client_ip
from portal import alert_rehearsal
from portal.access import PageRequest, page
from portal.alert_forms import RuleForm, RulesFileForm

COUNTED = timedelta(days=30)
MOST_BYTES = 262_144
ABOUT = {
    Kind.THRESHOLD: "A mean over some minutes that lies beyond a level.",
    Kind.NO_DATA: "A machine that sends nothing. Machines that fall silent together are one alert.",
    Kind.ANOMALY: "A mean far off what the same machine does at this hour of the week. Needs three weeks of history.",
    Kind.FORECAST: "Something that grows and will be full soon, even at the slow end of its interval.",
    Kind.EVENT: "Something that happened: a reboot, a clock that was set, another agent version.",
}


@page(roles.SEE)
def rules(request: PageRequest) -> HttpResponse:
    return _list(request, RulesFileForm())


@page(roles.ALERTS, "GET", "HEAD", "POST")
def new(request: PageRequest) -> HttpResponse:
    asked = request.POST if request.method == "POST" else request.GET
    kind = Kind(asked["kind"]) if asked.get("kind") in Kind.values else Kind.THRESHOLD
    rule = Rule(kind=kind)
    if request.method != "POST":
        return _edit(request, rule, RuleForm(kind, rule))
    return _save(request, rule, RuleForm(kind, rule, request.POST), "made")


@page(roles.ALERTS, "GET", "HEAD", "POST")
def rule(request: PageRequest, rule_id: int) -> HttpResponse:
    found = _find(rule_id)
    kind = Kind(found.kind)
    if request.method != "POST":
        return _edit(request, found, RuleForm(kind, found))
    return _save(request, found, RuleForm(kind, found, request.POST), "changed")


@page(roles.ALERTS, "POST")
def rehearse(request: PageRequest) -> HttpResponse:
    """What the rule of the form would have done in the last thirty days; a fragment of the editor."""
    kind = Kind(request.POST["kind"]) if request.POST.get("kind") in Kind.values else Kind.THRESHOLD
    form = RuleForm(kind, Rule(kind=kind), request.POST)
    wanted = form.rule() if form.is_valid() else None
    context: Mapping[str, Any] = {"problem": "The rehearsal begins when the rule is complete."}
    if wanted is not None:
        context = alert_rehearsal.context(wanted, request.POST.get("machine", ""), timezone.now())
    return render(request, "alerts/rehearsal.html", context)


@page(roles.ALERTS, "POST")
def switch(request: PageRequest, rule_id: int) -> HttpResponse:
    found = _find(rule_id)
    found.enabled = not found.enabled
    handling.save_rule(found, actor=request.user.email, ip=client_ip(request))
    state = "on" if found.enabled else "off; its open alerts are closed with the next run"
    messages.success(request, f"{found.name} is {state}.")
    return redirect("alert-rules")


@page(roles.ALERTS, "POST")
def delete(request: PageRequest, rule_id: int) -> HttpResponse:
    found = _find(rule_id)
    name = found.name
    handling.delete_rule(found, actor=request.user.email, ip=client_ip(request))
    messages.success(request, f"{name} is deleted. What it told stays in the history.")
    return redirect("alert-rules")


@page(roles.SEE)
def export(request: PageRequest) -> HttpResponse:
    response = HttpResponse(handling.export_rules(), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="alert-rules-{request.tenant.schema_name}.yaml"'
    return response


@page(roles.ALERTS, "POST")
def import_file(request: PageRequest) -> HttpResponse:
    """All rules of the file or none."""
    form = RulesFileForm(request.POST, request.FILES)
    if not form.is_valid():
        return _list(request, form)
    try:
        text = form.cleaned_data["file"].read(MOST_BYTES).decode()
        wanted = handling.import_rules(text, actor=request.user.email, ip=client_ip(request))
    except (RulesFileError, UnicodeDecodeError) as error:
        form.add_error("file", _why_not(error))
        return _list(request, form)
    messages.success(request, f"{len(wanted)} rules are taken in; rules of other names stay as they were.")
    return redirect("alert-rules")


def _why_not(error: RulesFileError | UnicodeDecodeError) -> str:
    return str(error) if isinstance(error, RulesFileError) else "The file is not UTF-8 text."


def _find(rule_id: int) -> Rule:
    found = Rule.objects.filter(pk=rule_id).first()
    if found is None:
        raise Http404("There is no such rule.")
    return found


def _save(request: PageRequest, rule: Rule, form: RuleForm, done: str) -> HttpResponse:
    if not form.is_valid():
        return _edit(request, rule, form)
    wanted = form.rule()
    try:
        handling.save_rule(wanted, actor=request.user.email, ip=client_ip(request))
    except ValidationError as error:
        form.take(error)
        return _edit(request, rule, form)
    messages.success(request, f"The rule {wanted.name} is {done}. It is evaluated from now on, every minute.")
    return redirect("alert-rules")


def _edit(request: PageRequest, rule: Rule, form: RuleForm) -> HttpResponse:
    context = {
        "rule": rule, "form": form, "kinds": Kind, "about": ABOUT[form.kind],
        "machines": form.machines,
    }  # fmt: skip
    return render(request, "alerts/rule.html", context)


def _list(request: PageRequest, form: RulesFileForm) -> HttpResponse:
    lately = Q(alerts__fired_at__gte=timezone.now() - COUNTED)
    found = Rule.objects.annotate(fired=Count("alerts", filter=lately), last_fired=Max("alerts__fired_at"))
    context = {
        "rules": list(found.order_by("-enabled", "name")), "form": form, "about": ABOUT,
        "can_act": roles.ALERTS.allows(request.user),
    }  # fmt: skip
    return render(request, "alerts/rules.html", context)
