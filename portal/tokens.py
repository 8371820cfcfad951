"""Pages: one's own API tokens; an Admin sees everybody's."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import roles, tokens
from accounts.models import PersonalToken, Scope, User
from core.errors import ServiceError
from core.limits import client_ip
from portal.access import PageRequest, page

MOST_DAYS = 366
MOST_SHOWN = 500


class MakeTokenForm(forms.Form):
    name = forms.CharField(label="Name", max_length=80, help_text="What it is for, as in nightly export.")
    scope = forms.ChoiceField(label="Scope", choices=Scope.choices)
    days = forms.IntegerField(
        label="Valid for, days", min_value=1, max_value=MOST_DAYS, initial=90, help_text=f"1 to {MOST_DAYS}."
    )


@page(roles.OWN_TOKENS)
def own_tokens(request: PageRequest) -> HttpResponse:
    return _show(request, MakeTokenForm())


@page(roles.OWN_TOKENS, "POST")
def make(request: PageRequest) -> HttpResponse:
    """Answers with the token itself, because it is shown only once."""
    form = MakeTokenForm(request.POST)
    if not form.is_valid():
        return _show(request, form)
    asked = form.cleaned_data
    secret = tokens.make(request.user, asked["name"], Scope(asked["scope"]), asked["days"], ip=client_ip(request))
    return _show(request, MakeTokenForm(), str(secret))


@page(roles.OWN_TOKENS, "POST")
def revoke(request: PageRequest, token_id: str) -> HttpResponse:
    token = _reachable(request.user).filter(token_id=token_id).first()
    if token is None:
        raise ServiceError("REQUEST_001", "There is no such token here.")
    tokens.revoke(token, actor=request.user.email, ip=client_ip(request))
    messages.success(request, f"The token {token.name} is revoked; what uses it is refused from now on.")
    return redirect("tokens")


def _reachable(user: User) -> QuerySet[PersonalToken]:
    found = PersonalToken.objects.select_related("user")
    return found if roles.ALL_TOKENS.allows(user) else found.filter(user=user)


def _show(request: PageRequest, form: MakeTokenForm, secret: str = "") -> HttpResponse:
    now = timezone.now()
    rows = [(token, token.state(now)) for token in _reachable(request.user)[:MOST_SHOWN]]
    portal = request.build_absolute_uri("/").rstrip("/")
    context = {
        "form": form, "rows": rows, "token": secret, "sees_all": roles.ALL_TOKENS.allows(request.user),
        "call": f"curl -H 'Authorization: Bearer {secret}' {portal}/api/v1/collectors",
    }  # fmt: skip
    return render(request, "portal/tokens.html", context)
