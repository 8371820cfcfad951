"""Page for Admins: sign-in with an identity provider (OpenID Connect)."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms.models import model_to_dict
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts import oidc, providers, roles
from accounts.models import Role
from core.errors import ServiceError
from core.limits import client_ip
from portal.access import PageRequest, page
from portal.confirming import confirmed

NEWCOMERS = [
    ("", "Only invited people"),
    (Role.VIEWER, "Anybody there, as Viewer"),
    (Role.ANALYST, "Anybody there, as Analyst"),
]

DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
STORED = "One is stored, and never shown again. Leave it empty to keep it; another issuer needs its own."


class ProviderForm(forms.Form):
    issuer = forms.CharField(
        label="Issuer", max_length=255, widget=forms.URLInput({"placeholder": "https://login.example.com"}),
        help_text="Exactly as the provider names itself; below it lies /.well-known/openid-configuration.",
    )  # fmt: skip
    client_id = forms.CharField(label="Client id", max_length=255, widget=forms.TextInput({"autocomplete": "off"}))
    client_secret = forms.CharField(
        label="Client secret", max_length=500, required=False, strip=True,
        widget=forms.PasswordInput({"autocomplete": "off"}),
    )  # fmt: skip
    label = forms.CharField(label="Name on the button", max_length=60, help_text="Sign in with …")
    newcomer_role = forms.ChoiceField(
        label="Who may come in", choices=NEWCOMERS, required=False,
        help_text="People who have an account here link it themselves; an equal e-mail address links nobody.",
    )  # fmt: skip
    newcomer_domains = forms.CharField(
        label="E-mail domains of newcomers", max_length=500, required=False,
        widget=forms.TextInput({"placeholder": "example.com, example.org", "autocomplete": "off"}),
        help_text="At a public provider anybody can have an account, so that newcomers need one of these.",
    )  # fmt: skip
    two_steps = forms.BooleanField(
        label="Counts as a second factor", required=False,
        help_text="Tick it when the provider itself asks for one. Otherwise this portal asks for its own.",
    )  # fmt: skip
    is_active = forms.BooleanField(label="Offer it at sign-in", required=False)

    def clean_newcomer_domains(self) -> str:
        """Comma-separated, as it is kept."""
        domains = [part.strip().lower() for part in self.cleaned_data["newcomer_domains"].split(",") if part.strip()]
        if wrong := [domain for domain in domains if not DOMAIN.fullmatch(domain)]:
            raise ValidationError(f"{wrong[0]} is no domain; example.com is.")
        if self.cleaned_data.get("newcomer_role") and not domains:
            raise ValidationError("Say from which domains newcomers come.")
        return ",".join(domains)

    def clean(self) -> dict[str, Any]:
        """It is asked at once, so that what is wrong shows here and not at somebody's sign-in."""
        found = super().clean() or {}
        if not self.errors and found["is_active"]:
            try:
                oidc.discover(found["issuer"])
            except ServiceError as error:
                raise ValidationError({"issuer": error.sentence}) from None
        return found


@page(roles.IDENTITY_PROVIDER, "GET", "HEAD", "POST")
@confirmed("identity-provider")
def identity_provider(request: PageRequest) -> HttpResponse:
    row = providers.read()
    form = ProviderForm(request.POST or None, initial=model_to_dict(row) if row else {"label": "single sign-on"})
    has_secret = bool(row and row.sealed_secret)
    form.fields["client_secret"].help_text = STORED if has_secret else "None is stored."
    if not form.is_valid():
        there = request.build_absolute_uri(reverse("provider-callback"))
        context = {"form": form, "callback": there}
        return render(request, "portal/identity_provider.html", context)
    wanted = {name: form.cleaned_data[name] for name in providers.TOLD}
    providers.change(wanted, form.cleaned_data["client_secret"], actor=request.user.email, ip=client_ip(request))
    done = "The provider was reached; people can sign in with it." if wanted["is_active"] else "Saved, not offered."
    messages.success(request, done)
    return redirect("identity-provider")
