"""Pages: how one signs in: authenticator app, passkeys, recovery codes."""

from __future__ import annotations

import base64
from typing import Any

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django import forms
from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from accounts import factors, mfa, passkeys, providers, roles, sessions
from core import sealed
from core.errors import ServiceError
from core.limits import client_ip
from portal.access import PageRequest, page, tenant_row
from portal.confirming import confirmed

SETTING_UP = "setting_up_app"


class AppForm(forms.Form):
    code = forms.CharField(
        label="Code that the app shows", max_length=12,
        widget=forms.TextInput({"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )  # fmt: skip


class PasskeyForm(forms.Form):
    name = forms.CharField(
        label="Name", max_length=80, help_text="As in my phone, or YubiKey on my ring.",
        widget=forms.TextInput({"autocomplete": "off"}),
    )  # fmt: skip


@page(roles.OWN_ACCOUNT)
def security(request: PageRequest) -> HttpResponse:
    return _show(request)


@page(roles.OWN_ACCOUNT, "GET", "HEAD", "POST")
@confirmed()
def set_up_app(request: PageRequest) -> HttpResponse:
    """The secret waits in the session, sealed, until a code shows that the app has it."""
    secret = _waiting_secret(request)
    form = AppForm(request.POST or None)
    if form.is_valid() and factors.fits(secret, form.cleaned_data["code"]):
        codes = factors.add_app(request.user, secret, ip=client_ip(request))
        del request.session[SETTING_UP]
        return _added(request, "Your authenticator app is set up.", codes)
    if form.is_valid():
        form.add_error("code", "This is not what the app should show. Is the clock of your phone right?")
    adapter = get_adapter()
    drawing = adapter.build_totp_svg(adapter.build_totp_url(request.user, secret))
    image = base64.b64encode(drawing.encode()).decode()
    grouped = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return render(request, "portal/set_up_app.html", {"form": form, "image": image, "secret": grouped})


@page(roles.OWN_ACCOUNT, "POST")
@confirmed()
def make_codes(request: PageRequest) -> HttpResponse:
    """Answers with the codes themselves, because they are shown only once."""
    if not factors.has_any(request.user):
        raise ServiceError("REQUEST_003", "Recovery codes come with an authenticator app or a passkey.")
    return _show(request, factors.make_codes(request.user, ip=client_ip(request)))


@page(roles.OWN_ACCOUNT, "POST")
@confirmed()
def begin_passkey(request: PageRequest) -> HttpResponse:
    """What the browser needs to make one."""
    return JsonResponse(passkeys.ask_new(request.user))


@page(roles.OWN_ACCOUNT, "POST")
@confirmed()
def add_passkey(request: PageRequest) -> HttpResponse:
    form = PasskeyForm(request.POST)
    if not form.is_valid():
        return _show(request, form=form)
    name = form.cleaned_data["name"]
    try:
        answer = request.POST.get("credential", "")
        codes = passkeys.add(request, request.user, name, answer, ip=client_ip(request))
    except passkeys.RefusedError as error:
        messages.error(request, str(error))
        return redirect("security")
    return _added(request, f"The passkey {name} is set up.", codes)


@page(roles.OWN_ACCOUNT, "POST")
def rename_passkey(request: PageRequest, factor_id: int) -> HttpResponse:
    form = PasskeyForm(request.POST)
    passkey = _own(request, factor_id, type=factors.PASSKEY)
    if form.is_valid():
        passkeys.rename(passkey, form.cleaned_data["name"])
    return redirect("security")


@page(roles.OWN_ACCOUNT, "POST")
@confirmed()
def remove_factor(request: PageRequest, factor_id: int) -> HttpResponse:
    factors.remove(request.user, _own(request, factor_id), ip=client_ip(request))
    request.session[factors.SECOND] = factors.has_any(request.user) and request.session.get(factors.SECOND, False)
    messages.success(request, "It is removed.")
    return redirect("security")


def _waiting_secret(request: PageRequest) -> str:
    """The one of this attempt; a new one when there is none, or it cannot be read."""
    try:
        return sealed.unseal(request.session.get(SETTING_UP, ""), mfa.PURPOSE)
    except sealed.SealBrokenError:
        secret = str(generate_totp_secret())
        request.session[SETTING_UP] = sealed.seal(secret, mfa.PURPOSE)
        return secret


def _own(request: PageRequest, factor_id: int, **more: Any) -> Authenticator:
    found = Authenticator.objects.filter(user_id=request.user.pk, pk=factor_id, **more)
    one: Authenticator | None = found.exclude(type=factors.CODES).first()
    if one is None:
        raise ServiceError("REQUEST_001", "You have no such second factor.")
    return one


def _added(request: PageRequest, sentence: str, codes: list[str]) -> HttpResponse:
    """This session counts as one with a second factor; the others were opened without it and end."""
    request.session[factors.SECOND] = True
    sessions.end_all(request.user, but=request.session.session_key)
    if codes:
        return _show(request, codes, sentence=sentence)
    messages.success(request, sentence)
    return redirect("security")


def _show(
    request: PageRequest, codes: list[str] | None = None, *, form: PasskeyForm | None = None, sentence: str = ""
) -> HttpResponse:
    context = {
        "owned": factors.of(request.user), "codes": codes, "form": form or PasskeyForm(), "sentence": sentence,
        "provider": providers.active(), "identities": request.user.identities.order_by("created_at"),
        "host": request.get_host(), "must": factors.is_missing(request.session, tenant_row(request)),
    }  # fmt: skip
    return render(request, "portal/security.html", context)
