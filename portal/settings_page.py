"""Page for Admins: the settings of this partner, in parts that are saved one by one. Only what takes effect is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.forms.models import model_to_dict
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.datastructures import MultiValueDict

from accounts import factors, logos, partner_settings, roles, tenant_settings
from accounts.models import ShowTimes, User
from accounts.partner_settings import Settings
from core.limits import client_ip
from portal.access import PageRequest, page

if TYPE_CHECKING:
    UploadedFiles = MultiValueDict[str, UploadedFile[Any]]  # generic in its stubs only

FEWEST_DAYS, MOST_DAYS = 7, 3660


def _zones() -> list[tuple[str, str]]:
    """Region/City names and UTC; older spellings without a region are left out."""
    named = (name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))
    return [(name, name) for name in ("UTC", *sorted(named))]


class PartnerForm(forms.Form):
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

    def __init__(self, data: QueryDict | None = None, files: UploadedFiles | None = None) -> None:
        self.now = partner_settings.read()
        super().__init__(data, files, initial=vars(self.now))
        if data is None:  # it is asked for when less is to be kept
            del self.fields["confirmed"]

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

    def save(self, actor: str, ip: str | None) -> None:
        wanted = Settings(**{name: self.cleaned_data[name] for name in vars(self.now)})
        partner_settings.change(wanted, actor=actor, ip=ip)


class TimesForm(forms.Form):
    time_zone = forms.ChoiceField(
        label="Time zone", choices=_zones, help_text="For whatever happens at a time of day. Times are stored in UTC."
    )
    show_times = forms.ChoiceField(
        label="Pages show times in", choices=ShowTimes.choices, help_text="Pointing at a time shows it in UTC too."
    )

    def __init__(self, data: QueryDict | None = None, files: UploadedFiles | None = None) -> None:
        super().__init__(data, files, initial=model_to_dict(tenant_settings.read(), ("time_zone", "show_times")))

    def save(self, actor: str, ip: str | None) -> None:
        tenant_settings.change(actor=actor, ip=ip, **self.cleaned_data)


class BrandForm(forms.Form):
    brand_name = forms.CharField(
        label="Name of the portal",
        max_length=60,
        required=False,
        help_text="In place of PerfAnalysis, on pages and in reports.",
    )
    brand_colour = forms.CharField(
        label="Colour", max_length=7, required=False, widget=forms.TextInput({"placeholder": "#0b5c93"}),
        help_text="As #rrggbb. Made darker or lighter where text would be hard to read.",
    )  # fmt: skip
    brand_logo = forms.FileField(
        label="Logo", required=False, widget=forms.FileInput({"accept": "image/png,image/jpeg,image/webp"}),
        help_text=f"PNG, JPEG or WebP of 1 MB and {logos.MAX_SIDE:,} pixels a side at most; best transparent.",
    )  # fmt: skip
    no_logo = forms.BooleanField(label="Remove the logo", required=False)

    def __init__(self, data: QueryDict | None = None, files: UploadedFiles | None = None) -> None:
        now = tenant_settings.read()
        super().__init__(data, files, initial=model_to_dict(now, ("brand_name", "brand_colour")))
        if not now.brand_logo_digest:
            del self.fields["no_logo"]

    def clean_brand_colour(self) -> str:
        colour = str(self.cleaned_data["brand_colour"]).strip().lower()
        tenant_settings.check_colour(colour)
        return colour

    def clean_brand_logo(self) -> bytes | None:
        """None: leave it as it is."""
        given = self.cleaned_data["brand_logo"]
        if given is None:
            return None
        data = bytes(given.read(logos.MAX_BYTES + 1))
        logos.drawn(data)
        return data

    def save(self, actor: str, ip: str | None) -> None:
        wanted = {name: self.cleaned_data[name] for name in ("brand_name", "brand_colour")}
        logo = b"" if self.cleaned_data.get("no_logo") else self.cleaned_data["brand_logo"]
        tenant_settings.change(actor=actor, ip=ip, **wanted, **({} if logo is None else {"brand_logo": logo}))


class SecondFactorForm(forms.Form):
    require_mfa = forms.BooleanField(
        label="Everybody needs a second factor", required=False,
        help_text="Who has none is led to set one up, and sees nothing before. API tokens go on working.",
    )  # fmt: skip

    def __init__(self, data: QueryDict | None = None, files: UploadedFiles | None = None) -> None:
        super().__init__(data, files, initial={"require_mfa": tenant_settings.read().require_mfa})

    def save(self, actor: str, ip: str | None) -> None:
        """By an Admin who has one, so that it is known to work, and nobody is locked out by somebody careless."""
        if self.cleaned_data["require_mfa"] and not factors.has_any(User.objects.get(email=actor)):
            raise ValidationError({"require_mfa": "Set up a second factor of your own first: Sign-in security."})
        tenant_settings.change(actor=actor, ip=ip, **self.cleaned_data)


@dataclass(frozen=True)
class Part:
    """A part of the page: its key in the form, its heading, its form, and what stands below the heading."""

    key: str
    title: str
    form: type[PartnerForm | TimesForm | BrandForm | SecondFactorForm]
    about: str = ""


PARTS = (
    Part("partner", "Name, and how long samples are kept", PartnerForm),
    Part("times", "Times", TimesForm),
    Part("brand", "Brand", BrandForm, "Your own name, colour and logo, on pages and in reports."),
    Part("second-factor", "Sign-in", SecondFactorForm),
)


@page(roles.SETTINGS, "GET", "HEAD", "POST")
def settings(request: PageRequest) -> HttpResponse:
    asked = next((part for part in PARTS if part.key == request.POST.get("part")), PARTS[0])
    if request.method != "POST":
        return _show(request, None, None)
    form = asked.form(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, asked, form)
    try:
        form.save(request.user.email, client_ip(request))
    except ValidationError as error:
        form.add_error(None, error)
        return _show(request, asked, form)
    messages.success(request, "The settings are changed.")
    return redirect("settings")


def _show(request: PageRequest, sent: Part | None, form: forms.Form | None) -> HttpResponse:
    shown = [(part, form if part is sent else part.form()) for part in PARTS]
    return render(request, "portal/settings.html", {"parts": shown})
