"""Pages: the second step of signing in, and signing in with a passkey alone."""

from __future__ import annotations

import logging

from django import forms
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from accounts import audit, factors, passkeys
from accounts.models import User
from core.limits import client_ip
from core.sealed import SealBrokenError
from portal import entering, tries
from portal.access import PageRequest, page
from portal.entering import MOST_TRIES, Pending

logger = logging.getLogger("perfanalysis.signing")

WRONG = "This code is wrong, was used, or is too old."


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code", max_length=32, help_text="6 digits from your authenticator app, or one of your recovery codes.",
        widget=forms.TextInput({"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )  # fmt: skip


@page(None, "GET", "HEAD", "POST")
def sign_in_factor(request: PageRequest) -> HttpResponse:
    """Until it is given the session is nobody's; after a few wrong codes it starts again at the password."""
    pending = entering.pending(request)
    user = pending.user() if pending else None
    if pending is None or user is None:
        return redirect("sign-in")
    if request.method != "POST":
        return _ask(request, user, CodeForm())
    tries.by_address(request, "factor")
    if "credential" in request.POST:
        return _by_passkey(request, pending, user)
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _ask(request, user, form)
    factor = check_code(request, user, form.cleaned_data["code"])
    if factor:
        return entering.complete(request, user, pending.onward, way=pending.way, factor=factor)
    form.add_error("code", WRONG)
    return _refuse(request, pending, user, form)


@page(None, "POST")
def sign_in_passkey(request: PageRequest) -> HttpResponse:
    """A passkey alone: it asked its owner for a PIN, finger or face, so that it is two factors in one."""
    tries.by_address(request)
    answer = request.POST.get("credential", "")
    try:
        user = passkeys.owner(answer)
        passkeys.check(request, user, answer)
        if not user.is_active:
            raise passkeys.RefusedError("This account is switched off. Ask an Admin.")
    except passkeys.RefusedError as error:
        audit.record("sign_in_failed", ip=client_ip(request), status="refused", factor=str(factors.PASSKEY))
        return render(request, "portal/passkey_refused.html", {"sentence": str(error)}, status=403)
    return entering.complete(request, user, entering.onward(request), way="passkey", factor=str(factors.PASSKEY))


@page(None, "POST")
def passkey_challenge(request: PageRequest) -> HttpResponse:
    """What the browser needs to use a passkey: of the person signed in or halfway in, else of anybody."""
    tries.by_address(request, "challenge")
    pending = entering.pending(request)
    user = request.user if isinstance(request.user, User) else pending.user() if pending else None
    options = passkeys.ask(user)
    if not isinstance(request.user, User):
        request.session.set_expiry(entering.PENDING_SECONDS)
    return JsonResponse(options)


def check_code(request: PageRequest, user: User, code: str) -> str:
    """The factor that the code is of, or ""; tries are limited for the account, from wherever they come."""
    tries.by_factor(request, user.pk)
    try:
        return factors.check_code(user, code, ip=client_ip(request))
    except SealBrokenError as error:
        logger.error("%s The second factor of account %s is refused.", error, user.pk)
        return ""


def _by_passkey(request: PageRequest, pending: Pending, user: User) -> HttpResponse:
    form = CodeForm()
    try:
        passkeys.check(request, user, request.POST["credential"])
    except passkeys.RefusedError as error:
        return _refuse(request, pending, user, form, str(error))
    return entering.complete(request, user, pending.onward, way=pending.way, factor=str(factors.PASSKEY))


def _refuse(request: PageRequest, pending: Pending, user: User, form: CodeForm, sentence: str = "") -> HttpResponse:
    audit.record("sign_in_failed", user=user.email, ip=client_ip(request), status="refused", step="second factor")
    pending.tries += 1
    if pending.tries >= MOST_TRIES:
        request.session.flush()
        return redirect("sign-in")
    entering.keep(request, pending)
    return _ask(request, user, form, sentence)


def _ask(request: PageRequest, user: User, form: CodeForm, sentence: str = "") -> HttpResponse:
    context = {"form": form, "owned": factors.of(user), "email": user.email, "sentence": sentence}
    return render(request, "portal/sign_in_factor.html", context)
