"""Page for Admins: the settings of this partner. Only what takes effect is here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render

from accounts import partner_settings, roles
from accounts.partner_settings import Settings
from core.limits import client_ip
from portal.access import PageRequest, page

FEWEST_DAYS, MOST_DAYS = 7, 3660


class SettingsForm(forms.Form):
    name = forms.CharField(label="Name", max_length=120, help_text="On every page, and in the mails that we send.")
    retention_days = forms.IntegerField(
        label="Keep samples, days", min_value=FEWEST_DAYS, max_value=MOST_DAYS,
        help_text=f"{FEWEST_DAYS} to {MOST_DAYS:,}. Older samples are deleted within the hour, and refused in uploads.",
    )  # fmt: skip
    rollup_retention_days = forms.IntegerField(
        label="Keep hourly values, days", min_value=FEWEST_DAYS, max_value=MOST_DAYS,
        help_text="Mean, least, most and 95th percentile of each hour, for long ranges.",
    )  # fmt: skip
    confirmed = forms.BooleanField(label="Delete what is older, for good", required=False)

    def __init__(self, now: Settings, data: QueryDict | None) -> None:
        super().__init__(data, initial=vars(now))
        self.now = now

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if self.errors:
            return found
        if found["rollup_retention_days"] < found["retention_days"]:
            raise ValidationError({"rollup_retention_days": "Hourly values are kept at least as long as samples."})
        shorter = any(found[name] < getattr(self.now, name) for name in ("retention_days", "rollup_retention_days"))
        if shorter and not found["confirmed"]:
            raise ValidationError({"confirmed": "You keep less than before. Tick this to delete what is older."})
        return found

    def settings(self) -> Settings:
        return Settings(**{name: self.cleaned_data[name] for name in vars(self.now)})


@page(roles.SETTINGS, "GET", "HEAD", "POST")
def settings(request: PageRequest) -> HttpResponse:
    form = SettingsForm(partner_settings.read(), request.POST or None)
    if not form.is_valid():
        return render(request, "portal/settings.html", {"form": form})
    partner_settings.change(form.settings(), actor=request.user.email, ip=client_ip(request))
    messages.success(request, "The settings are changed.")
    return redirect("settings")
