"""Pages at the operator's host: every partner with its volume; opening, suspending, terms, and entering one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from accounts import factors, mail, operating, tenant_settings, visits
from accounts.models import Role
from accounts.opening import Opening
from accounts.operating import Operator, Terms
from accounts.visits import LINK_MINUTES, MOST_MINUTES, Wish
from analysis.volume import Volume, volume
from core.limits import client_ip
from core.tenancy import schema_context
from partners.models import Partner
from partners.names import check_host, check_schema_name, normal_host
from portal.access import PageRequest, operator_page
from portal.people import Offer, link_text

PAGE_SIZE = 50
FEWEST_DAYS, MOST_DAYS = 7, 3660


@dataclass(frozen=True)
class Row:
    """One partner as the list shows it."""

    partner: Partner
    host: str
    state: str
    volume: Volume


class SearchForm(forms.Form):
    q = forms.CharField(required=False, max_length=100)
    page = forms.IntegerField(required=False, min_value=1)


class OpenForm(forms.Form):
    title = forms.CharField(label="Name", max_length=120, help_text="As its people read it.")
    name = forms.CharField(
        label="Short name", max_length=48, validators=[check_schema_name],
        help_text="Names its schema in the database, for good: a to z, 0 to 9 and _, as in acme.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    host = forms.CharField(
        label="Host name", max_length=253, help_text="At which its portal is reached, as in acme.example.com.",
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    admin_email = forms.EmailField(label="E-mail of its first Admin", max_length=254, help_text="Gets an invitation.")
    retention_days = forms.IntegerField(
        label="Keep samples, days", min_value=FEWEST_DAYS, max_value=MOST_DAYS, initial=90
    )

    def clean_host(self) -> str:
        host = normal_host(self.cleaned_data["host"].strip())
        check_host(host)
        return host

    def opening(self) -> Opening:
        return Opening(**self.cleaned_data)


class TermsForm(forms.Form):
    paid_until = forms.DateField(
        label="Paid until", required=False, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
        help_text="The last day, UTC; from the next one on everything answers 403. Empty: no end.",
    )  # fmt: skip
    info_url = forms.URLField(
        label="More information at", required=False, max_length=200, assume_scheme="https",
        help_text="Named to its people when they are locked out.",
    )  # fmt: skip


class EnterForm(forms.Form):
    role = forms.ChoiceField(
        label="Access", initial=Role.VIEWER, choices=[(Role.VIEWER, "Read only: as a Viewer"), (Role.ADMIN, "As Admin")]
    )
    reason = forms.CharField(label="Reason", max_length=300, help_text="Its Admins read it in their audit log.")
    minutes = forms.IntegerField(
        label="For how long, minutes",
        min_value=5,
        max_value=MOST_MINUTES,
        initial=60,
        help_text=f"5 to {MOST_MINUTES}.",
    )

    def wish(self) -> Wish:
        asked = self.cleaned_data
        return Wish(Role(asked["role"]), asked["reason"], asked["minutes"])


@operator_page()
def partners(request: PageRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    form.is_valid()
    search = form.cleaned_data.get("q", "")
    found = _found(search, form.cleaned_data.get("page") or 1)
    now = timezone.now()
    rows = [_row(partner, now) for partner in found]
    return render(request, "portal/partners.html", {"rows": rows, "found": found, "search": search})


@operator_page("GET", "HEAD", "POST")
def open_partner(request: PageRequest) -> HttpResponse:
    """Answers with the invitation of its first Admin, because the link is shown only once."""
    form = OpenForm(request.POST or None)
    if not form.is_valid():
        return render(request, "portal/partner_open.html", {"form": form})
    opening = form.opening()
    try:
        secret = operating.open_with_invitation(opening, _operator(request))
    except ValidationError as error:
        form.add_error(None, error.messages)
        return render(request, "portal/partner_open.html", {"form": form})
    url = address(request, opening.host) + reverse("invitation", args=[str(secret)])
    text = link_text(opening.title, opening.host, "Invitation", url, settings.INVITATION_HOURS)
    mailed = mail.send(opening.admin_email, *text)
    offer = Offer("Invitation", opening.admin_email, url, settings.INVITATION_HOURS, mailed)
    return _show(request, opening.name, offer=offer)


@operator_page()
def partner(request: PageRequest, schema: str) -> HttpResponse:
    return _show(request, schema)


@operator_page("POST")
def set_terms(request: PageRequest, schema: str) -> HttpResponse:
    form = TermsForm(request.POST)
    if not form.is_valid():
        return _show(request, schema, terms=form)
    operating.set_terms(schema, Terms(**form.cleaned_data), _operator(request))
    return _done(request, schema, "The terms are changed.")


@operator_page("POST")
def suspend(request: PageRequest, schema: str) -> HttpResponse:
    operating.suspend(schema, _operator(request))
    return _done(request, schema, "It is suspended: its pages and uploads answer 403. The data stays.")


@operator_page("POST")
def resume(request: PageRequest, schema: str) -> HttpResponse:
    operating.resume(schema, _operator(request))
    return _done(request, schema, "It is open again.")


@operator_page("POST")
def enter(request: PageRequest, schema: str) -> HttpResponse:
    """Answers with the way in, because a form may not lead to another host (content security policy)."""
    row = _row(operating.partner(schema), timezone.now())
    form = EnterForm(request.POST)
    if row.state != "open":
        form.add_error(None, "It answers 403 to everybody, you included. Resume it first.")
    if _lacks_second_factor(request, schema):
        form.add_error(None, "This customer asks everybody for a second factor. Set one up, and sign in with it.")
    if not form.is_valid():
        return _show(request, schema, enter_form=form)
    secret = visits.grant(schema, form.wish(), operator=request.user, ip=client_ip(request))
    url = address(request, row.host) + reverse("visit", args=[str(secret)])
    return _show(request, schema, way_in=url)


def address(request: PageRequest, host: str) -> str:
    """Where a partner's portal is, as this one was reached: scheme and port of the request."""
    _, colon, port = request.get_host().partition(":")
    return f"{request.scheme}://{host}{colon}{port}"


def state_of(partner: Partner, today: date) -> str:
    """open, suspended or unpaid; operator for the platform's own."""
    if partner.is_operator:
        return "operator"
    if not partner.active:
        return "suspended"
    return "open" if partner.paid_until is None or today <= partner.paid_until else "unpaid"


def _found(search: str, number: int) -> Page[Partner]:
    with schema_context(get_public_schema_name()):
        chosen = Partner.objects.prefetch_related("domains").filter(
            Q(name__icontains=search) | Q(schema_name__icontains=search) | Q(domains__domain__icontains=search)
        )
        page = Paginator(chosen.distinct().order_by("name", "schema_name"), PAGE_SIZE).get_page(number)
        page.object_list = list(page.object_list)
    return page


def _row(partner: Partner, now: datetime) -> Row:
    domains = sorted(partner.domains.all(), key=lambda domain: not domain.is_primary)
    with schema_context(partner.schema_name):
        taken = volume(now)
    return Row(partner, domains[0].domain if domains else "", state_of(partner, now.date()), taken)


def _lacks_second_factor(request: PageRequest, schema: str) -> bool:
    with schema_context(schema):
        return factors.is_missing(request.session, tenant_settings.read())


def _operator(request: PageRequest) -> Operator:
    return Operator(request.user, client_ip(request))


def _done(request: PageRequest, schema: str, sentence: str) -> HttpResponse:
    messages.success(request, sentence)
    return redirect("operator-partner", schema)


def _show(
    request: PageRequest, schema: str, *, terms: TermsForm | None = None, enter_form: EnterForm | None = None,
    offer: Offer | None = None, way_in: str = "",
) -> HttpResponse:  # fmt: skip
    row = _row(operating.partner(schema), timezone.now())
    initial = {"paid_until": row.partner.paid_until, "info_url": row.partner.info_url}
    context = {
        "row": row, "url": address(request, row.host), "offer": offer, "way_in": way_in, "link_minutes": LINK_MINUTES,
        "terms": terms or TermsForm(initial=initial), "enter_form": enter_form or EnterForm(),
        "sends_mail": settings.SENDS_MAIL,
    }  # fmt: skip
    return render(request, "portal/partner.html", context)
