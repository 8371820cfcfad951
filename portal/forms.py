"""Forms: they validate what people type and what stands in an address."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from collectors.models import check_machine_id, clean_tags

STATES = ("live", "late", "silent", "never")
MAX_SPAN = timedelta(days=800)


class SignInForm(forms.Form):
    email = forms.EmailField(
        label="E-mail", max_length=254, widget=forms.EmailInput({"autocomplete": "username", "autofocus": True})
    )
    password = forms.CharField(
        label="Password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )


class FleetForm(forms.Form):
    """Which machines the fleet shows, in which order and groups."""

    q = forms.CharField(required=False, max_length=200)
    state = forms.ChoiceField(required=False, choices=[("", "All"), *((state, state) for state in STATES)])
    tag = forms.CharField(required=False, max_length=64)
    group = forms.CharField(required=False, max_length=64)
    sort = forms.CharField(required=False, max_length=20)


class PeriodForm(forms.Form):
    """`from` and `to` of an address: instants, RFC 3339; without offset they are UTC."""

    start = forms.DateTimeField()
    end = forms.DateTimeField()

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        start, end = found.get("start"), found.get("end")
        if isinstance(start, datetime) and isinstance(end, datetime):
            if start >= end:
                raise ValidationError("The period ends before it starts.")
            if end - start > MAX_SPAN:
                raise ValidationError(f"A period may be {MAX_SPAN.days} days at most.")
        return found


class RegisterForm(forms.Form):
    machine_id = forms.CharField(
        label="Machine id",
        max_length=128,
        validators=[check_machine_id],
        help_text="Letters, digits and . _ : - as in web-01. It names the machine in uploads and exports.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    hostname = forms.CharField(
        label="Host name",
        max_length=255,
        required=False,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )


class TagsForm(forms.Form):
    tags = forms.CharField(required=False, max_length=4000)

    def clean_tags(self) -> list[str]:
        return clean_tags(self.cleaned_data["tags"].split(","))


class TokenForm(forms.Form):
    hours = forms.IntegerField(
        label="Valid for, hours", min_value=1, max_value=24 * 30, initial=24, help_text="1 to 720."
    )
    uses = forms.IntegerField(label="Machines", min_value=1, max_value=1000, initial=1, help_text="1 to 1,000.")
