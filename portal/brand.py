"""A tenant's brand on its pages: name, logo, and its colour as a small stylesheet of readable tokens.

Anyone may fetch logo and stylesheet: the sign-in page shows them. Their addresses change with their content.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.urls import reverse

from accounts import tenant_settings
from accounts.models import ShowTimes, TenantSettings
from core import colours
from core.errors import ServiceError
from portal.access import PageRequest, page

PRODUCT = "PerfAnalysis"
LIGHT_GROUNDS = ("#ffffff", "#f4f6f8")
DARK_GROUNDS = ("#0f151b", "#1d2731")
"""The lightest and darkest of the backgrounds in portal.css that text in the accent colour stands on."""
_SOFT_LIGHT, _SOFT_DARK = 0.1, 0.22
_FOREVER = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Brand:
    """What templates ask; addresses are empty where there is nothing."""

    row: TenantSettings

    @property
    def name(self) -> str:
        return self.row.brand_name or PRODUCT

    @property
    def is_own(self) -> bool:
        return bool(self.row.brand_name or self.row.brand_logo_digest)

    @property
    def logo(self) -> str:
        return reverse("brand-logo", args=[self.row.brand_logo_digest]) if self.row.brand_logo_digest else ""

    @property
    def stylesheet(self) -> str:
        return reverse("brand-colour", args=[self.row.brand_colour[1:]]) if self.row.brand_colour else ""

    @property
    def zone(self) -> str:
        """The zone in which everybody sees times; empty for each reader's own."""
        return self.row.time_zone if self.row.show_times == ShowTimes.PARTNER else ""


@page(None)
def logo(request: PageRequest, digest: str) -> HttpResponse:
    if not digest or tenant_settings.read().brand_logo_digest != digest:
        raise ServiceError("REQUEST_001", "There is no such logo here.")
    return _kept(HttpResponse(tenant_settings.logo(), content_type="image/png"))


@page(None)
def colour(request: PageRequest, digits: str) -> HttpResponse:
    own = tenant_settings.read().brand_colour
    if not own or own != f"#{digits}":
        raise ServiceError("REQUEST_001", "There is no such stylesheet here.")
    return _kept(HttpResponse(stylesheet(own), content_type="text/css; charset=utf-8"))


def stylesheet(own: str) -> str:
    """The tokens of portal.css that take a tenant's colour, so that text stays readable in light and dark."""
    soft = colours.mixed(own, LIGHT_GROUNDS[0], _SOFT_LIGHT), colours.mixed(own, DARK_GROUNDS[0], _SOFT_DARK)
    accent = colours.readable_on(own, *LIGHT_GROUNDS, soft[0]), colours.readable_on(own, *DARK_GROUNDS, soft[1])
    tokens = {
        "--brand": own,
        "--brand-ink": colours.ink_on(own),
        "--accent": f"light-dark({accent[0]}, {accent[1]})",
        "--accent-ink": f"light-dark({colours.ink_on(accent[0])}, {colours.ink_on(accent[1])})",
        "--accent-soft": f"light-dark({soft[0]}, {soft[1]})",
    }
    return ":root {\n" + "".join(f"  {name}: {value};\n" for name, value in tokens.items()) + "}\n"


def _kept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = _FOREVER
    response["X-Content-Type-Options"] = "nosniff"
    return response
