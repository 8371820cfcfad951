"""Page: prove again who you are, before what would let a borrowed browser take the account over."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django import forms
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from accounts import audit, factors, passkeys, roles
from core.limits import client_ip
from portal import entering, tries
from portal.access import PageRequest, page
from portal.second_step import WRONG, CodeForm, check_code

P = ParamSpec("P")
View = Callable[Concatenate[PageRequest, P], HttpResponseBase]


class PasswordForm(forms.Form):
    password = forms.CharField(
        label="Password", max_length=1024, strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password", "autofocus": True}),
    )  # fmt: skip


def confirmed(back: str = "security") -> Callable[[View[P]], View[P]]:
    """The view, once the person proved in the last quarter of an hour who they are; below `page`.

    back: the page from which a form is sent again afterwards.
    """

    def declare(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: PageRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if entering.is_confirmed(request):
                return view(request, *args, **kwargs)
            there = request.get_full_path() if request.method in ("GET", "HEAD") else reverse(back)
            return HttpResponseRedirect(f"{reverse('confirm')}?{urlencode({'next': there})}")

        return cast("View[P]", guarded)

    return declare


@page(roles.OWN_ACCOUNT, "GET", "HEAD", "POST")
def confirm(request: PageRequest) -> HttpResponse:
    """By password, or by any second factor of the account."""
    if request.method != "POST":
        return _ask(request)
    tries.by_address(request)
    problem = _problem(request)
    if problem:
        audit.record("confirm_failed", user=request.user.email, ip=client_ip(request), status="refused")
        return _ask(request, problem)
    entering.confirm(request)
    if "password" not in request.POST:
        request.session[factors.SECOND] = True
    return HttpResponseRedirect(entering.onward(request, "security"))


def _problem(request: PageRequest) -> str:
    """What is wrong with the proof that was sent; "" when it is good."""
    user, sent = request.user, request.POST
    if "password" in sent:
        return _wrong_password(request, sent["password"][:1024])
    if "credential" in sent:
        try:
            passkeys.check(request, user, sent["credential"])
        except passkeys.RefusedError as error:
            return str(error)
        return ""
    form = CodeForm(sent)
    return "" if form.is_valid() and check_code(request, user, form.cleaned_data["code"]) else WRONG


def _wrong_password(request: PageRequest, password: str) -> str:
    tries.by_account(request, request.user.email)
    return "" if request.user.check_password(password) else "This is not your password."


def _ask(request: PageRequest, problem: str = "") -> HttpResponse:
    context = {
        "problem": problem, "next": entering.onward(request, "security"), "owned": factors.of(request.user),
        "password_form": PasswordForm() if request.user.has_usable_password() else None, "code_form": CodeForm(),
    }  # fmt: skip
    return render(request, "portal/confirm.html", context)
