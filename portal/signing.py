"""Pages: sign in, sign out, change the password."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import authenticate, logout, update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts import audit, links, providers, roles, sessions, visits
from accounts.models import LinkKind, User
from core.limits import client_ip
from portal import entering, tries
from portal.access import PageRequest, page
from portal.forms import SignInForm

REFUSED = "E-mail or password is wrong."
"""The same for an unknown account, a wrong password and an account that is switched off."""


@page(None, "GET", "HEAD", "POST")
def sign_in(request: PageRequest) -> HttpResponse:
    if request.method != "POST":
        if isinstance(request.user, User):
            return HttpResponseRedirect(entering.onward(request))
        return _ask(request, SignInForm())
    tries.by_address(request)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _ask(request, form)
    email = form.cleaned_data["email"].lower()
    tries.by_account(request, email)
    user = authenticate(request, username=email, password=form.cleaned_data["password"])
    if user is None:
        audit.record("sign_in_failed", user=email, ip=client_ip(request), status="refused")
        form.add_error(None, REFUSED)
        return _ask(request, form)
    return entering.enter(request, user, entering.onward(request), way="password")


def _ask(request: PageRequest, form: SignInForm) -> HttpResponse:
    return render(
        request,
        "portal/sign_in.html",
        {
            "form": form,
            "next": entering.onward(request),
            "sends_mail": settings.SENDS_MAIL,
            "provider": providers.active(),
        },
    )


@page(roles.SIGN_OUT, "POST")
def sign_out(request: PageRequest) -> HttpResponse:
    if request.user.is_visitor and (visit := visits.of(request.user)):
        visits.end(visit, by=request.user.email, ip=client_ip(request))
    audit.record("sign_out", user=request.user.email, ip=client_ip(request))
    logout(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@page(roles.OWN_ACCOUNT, "GET", "HEAD", "POST")
def password(request: PageRequest) -> HttpResponse:
    """Changing it ends every other session of the account, and links to a new password.

    Whoever has none, because they came from the identity provider, sets a first one after proving who they are.
    """
    has_one = request.user.has_usable_password()
    if not has_one and not entering.is_confirmed(request):
        return redirect(f"{reverse('confirm')}?next={reverse('password')}")
    if request.method == "POST":
        tries.by_address(request)
        tries.by_account(request, request.user.email)
    form = (PasswordChangeForm if has_one else SetPasswordForm)(request.user, request.POST or None)
    if not form.is_valid():
        return render(request, "portal/password.html", {"form": form})
    update_session_auth_hash(request, form.save())
    sessions.end_all(request.user, but=request.session.session_key)
    links.revoke(LinkKind.RESET, request.user.email)
    audit.record("password_changed", user=request.user.email, ip=client_ip(request))
    messages.success(request, "Your password is changed. Other browsers are signed out.")
    return redirect("fleet")
