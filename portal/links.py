"""Pages behind one-time links: join by an invitation, set a new password; and ask for such a link by mail."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts import links, mail, people, providers
from accounts.models import LinkKind, User
from core.errors import ServiceError
from core.limits import client_ip, limit
from portal import entering, tries
from portal.access import PageRequest, page
from portal.people import mail_text, reset_url


class NewPasswordForm(forms.Form):
    password = forms.CharField(
        label="Password", max_length=1024, strip=False, help_text=password_validators_help_text_html(),
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )  # fmt: skip
    again = forms.CharField(
        label="The same again", max_length=1024, strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )  # fmt: skip

    def __init__(self, user: User, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.user = user

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if "password" in found and "again" in found:
            if found["password"] != found["again"]:
                raise ValidationError({"again": "This is not the same password."})
            try:
                validate_password(found["password"], self.user)
            except ValidationError as error:
                raise ValidationError({"password": error.messages}) from None
        return found


class JoinForm(NewPasswordForm):
    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput({"autocomplete": "name"}))
    field_order = ("name", "password", "again")


class ForgotForm(forms.Form):
    email = forms.EmailField(label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "username"}))


@page(None, "GET", "HEAD", "POST")
def invitation(request: PageRequest, secret: str) -> HttpResponse:
    """The invited person sets name and password, and is in."""
    tries.by_address(request)
    link = links.find(LinkKind.INVITATION, secret)
    form = JoinForm(User(email=link.email), request.POST or None)
    if not form.is_valid():
        joining = {"provider": providers.active(), "secret": secret}
        return _ask(request, form, f"Join {request.tenant.name}", link.email, **joining)
    asked = form.cleaned_data
    user = people.accept(link, asked["name"], asked["password"], ip=client_ip(request))
    return entering.enter(request, user, reverse("fleet"), way="invitation")


@page(None, "GET", "HEAD", "POST")
def new_password(request: PageRequest, secret: str) -> HttpResponse:
    """Every session of the account ends; this browser gets a new one."""
    tries.by_address(request)
    link = links.find(LinkKind.RESET, secret)
    form = NewPasswordForm(people.active(link.email), request.POST or None)
    if not form.is_valid():
        return _ask(request, form, "Set a new password", link.email)
    user = people.reset_password(link, form.cleaned_data["password"], ip=client_ip(request))
    return entering.enter(request, user, reverse("fleet"), way="new password")


@page(None, "GET", "HEAD", "POST")
def forgot(request: PageRequest) -> HttpResponse:
    """The same answer for every e-mail; only on portals that send mail."""
    if not settings.SENDS_MAIL:
        raise ServiceError("REQUEST_001", "This portal sends no mail. Ask an Admin for a link to a new password.")
    if request.method == "POST":
        tries.by_address(request)
    form = ForgotForm(request.POST or None)
    if not form.is_valid():
        return render(request, "portal/forgot.html", {"form": form})
    _send_reset(request, form.cleaned_data["email"].lower())
    return render(request, "portal/forgot.html", {"sent_to": form.cleaned_data["email"]})


def _send_reset(request: PageRequest, email: str) -> None:
    limit(request, "reset", f"{request.tenant.schema_name}:{email}", settings.SIGN_IN_RATE, fail_open=False)
    user = User.objects.filter(email=email, is_active=True).first()
    if user is not None:
        secret = people.offer_reset(user, actor=email, ip=client_ip(request))
        text = mail_text(request, "New password", reset_url(request, secret), settings.RESET_HOURS)
        mail.send_later(email, *text)


def _ask(request: PageRequest, form: NewPasswordForm, title: str, email: str, **more: Any) -> HttpResponse:
    """The secret is in this page's address, of which what it loads is told the host alone.

    Not `no-referrer`: the form would then come without its origin, which the CSRF check wants.
    """
    response = render(request, "portal/link.html", {"form": form, "title": title, "email": email, **more})
    response["Referrer-Policy"] = "strict-origin"
    return response
