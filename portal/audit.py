"""Pages for Admins: the audit log, filtered, and its export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render

from accounts import audit as log
from accounts import roles, trail
from accounts.trail import Choice, Place
from core.errors import ServiceError
from core.limits import client_ip
from portal.access import PageRequest, page

SIZE = 50
FORMATS: dict[str, tuple[Callable[[Choice, str], Iterator[bytes]], str]] = {
    "csv": (trail.export_csv, "text/csv; charset=utf-8"),
    "jsonl": (trail.export_lines, "application/x-ndjson"),
}
KNOWN = (
    "sign_in", "sign_in_failed", "sign_out", "session.ended", "sessions.ended", "password_changed",
    "password_reset.offered", "user.invited", "invitation.withdrawn", "user.joined", "user.role_changed",
    "user.deactivated", "user.reactivated", "token.made", "token.revoked", "collector.registered",
    "collector.changed", "collector.retired", "key.rotated", "enrolment_token.made", "enrolment_token.revoked",
    "upload", "export", "audit.exported", "report.asked", "report.made", "report.read", "report.deleted",
    "confirm_failed", "factor.added", "factor.removed", "factors.reset", "recovery_codes.made", "recovery_code.used",
    "identity_provider.changed", "identity.linked", "identity.unlinked", "settings.changed",
    "partner.opened", "partner.terms_changed", "partner.suspended", "partner.resumed",
    "visit.granted", "operator.entered", "operator.left",
)  # fmt: skip
"""Offered while typing; any other event can be asked for too."""


class AuditForm(forms.Form):
    event = forms.CharField(
        required=False, max_length=40, widget=forms.TextInput({"list": "events", "autocomplete": "off"})
    )
    user = forms.CharField(required=False, max_length=254)
    machine_id = forms.CharField(label="Machine", required=False, max_length=128)
    start = forms.DateField(label="From", required=False, widget=forms.DateInput({"type": "date"}))
    end = forms.DateField(label="To", required=False, widget=forms.DateInput({"type": "date"}))
    before = forms.CharField(required=False, max_length=80, widget=forms.HiddenInput())

    def clean_before(self) -> Place | None:
        text = self.cleaned_data["before"]
        try:
            return Place.parse(text) if text else None
        except ValueError:
            raise ValidationError("This is no place in the log.") from None

    def choice(self) -> Choice:
        return Choice(**{name: self.cleaned_data[name] for name in ("event", "user", "machine_id", "start", "end")})


@page(roles.AUDIT)
def audit(request: PageRequest) -> HttpResponse:
    form = AuditForm(request.GET)
    if not form.is_valid():
        return render(request, "portal/audit.html", {"form": form, "known": KNOWN, "rows": []})
    rows, following = trail.newest(form.choice(), form.cleaned_data["before"], SIZE)
    chosen = {name: form[name].value() for name in form.fields if name != "before" and form[name].value()}
    context: dict[str, Any] = {
        "form": form, "known": KNOWN, "rows": rows, "is_filtered": bool(chosen), "query": urlencode(chosen),
        "is_later_page": form.cleaned_data["before"] is not None,
        "following": urlencode({**chosen, "before": str(following)}) if following else "",
    }  # fmt: skip
    return render(request, "portal/audit.html", context)


@page(roles.AUDIT)
def export(request: PageRequest, form_name: str) -> StreamingHttpResponse:
    """The chosen events, oldest first; taking them is an event itself."""
    form = AuditForm(request.GET)
    if form_name not in FORMATS or not form.is_valid():
        raise ServiceError("REQUEST_003", "Ask for csv or jsonl, with dates as YYYY-MM-DD.")
    write, content_type = FORMATS[form_name]
    schema = request.tenant.schema_name
    log.record("audit.exported", user=request.user.email, ip=client_ip(request), format=form_name)
    response = StreamingHttpResponse(write(form.choice(), schema), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="audit-{schema}.{form_name}"'
    return response
