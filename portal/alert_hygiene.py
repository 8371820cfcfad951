"""Page: the monthly look at the rules, and taking what it suggests."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import roles
from alerts import hygiene as looks
from alerts.models import Rule
from core.limits import client_ip
from portal.access import PageRequest, page


@page(roles.SEE)
def hygiene(request: PageRequest) -> HttpResponse:
    review = looks.review(timezone.now())
    listed = (
        ("Noisy", f"Fired {looks.NOISY} times or more.", review.noisy),
        ("Heeded by nobody", f"Fired {looks.IGNORED} times or more, and nobody acknowledged one.", review.ignored),
    )
    context = {"review": review, "listed": listed, "days": looks.DAYS, "can_act": roles.ALERTS.allows(request.user)}
    return render(request, "alerts/hygiene.html", context)


@page(roles.ALERTS, "POST")
def tune(request: PageRequest, rule_id: int) -> HttpResponse:
    """What was suggested when the page was read, if it still is."""
    rule = Rule.objects.filter(pk=rule_id).first()
    if rule is None:
        raise Http404("There is no such rule.")
    key, now = request.POST.get("suggestion", ""), timezone.now()
    if looks.apply(rule, key, now, actor=request.user.email, ip=client_ip(request)):
        messages.success(request, f"{rule.name} is changed as suggested.")
    else:
        messages.warning(request, f"That is not what is suggested for {rule.name} any more. Look again.")
    return redirect("alert-hygiene")
