"""Pages: links that let others read one report without signing in, and what such a link shows."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from accounts import roles
from core.errors import ServiceError
from core.limits import client_ip, client_network, limit
from portal import report_files
from portal.access import PageRequest, page
from reports.jobs import links as write
from reports.jobs import queue
from reports.jobs.models import Report, SharedLink

DAYS = {"1": "1 day", "7": "7 days", "30": "30 days", "90": "90 days"}
FILES = ("html", "pdf")
"""What a link offers; the findings for machines stay with those who may sign in."""


class LinkForm(forms.Form):
    days = forms.ChoiceField(label="Works for", choices=list(DAYS.items()), initial="7")


@page(roles.REPORTS)
def links(request: PageRequest, report_id: str) -> HttpResponse:
    return _show(request, queue.find(report_id), LinkForm())


@page(roles.REPORTS, "POST")
def make(request: PageRequest, report_id: str) -> HttpResponse:
    """Answers with the link itself, because it is shown only once."""
    report = queue.find(report_id)
    form = LinkForm(request.POST)
    if not form.is_valid():
        return _show(request, report, form)
    days = int(form.cleaned_data["days"])
    try:
        _, secret = write.make(report_id, days, actor=request.user.email, ip=client_ip(request))
    except ServiceError as error:
        form.add_error(None, error.sentence)
        return _show(request, report, form)
    url = request.build_absolute_uri(reverse("shared-report", args=[str(secret)]))
    return _show(request, report, LinkForm(), url)


@page(roles.REPORTS, "POST")
def withdraw(request: PageRequest, report_id: str, link_id: str) -> HttpResponse:
    write.revoke(report_id, link_id, actor=request.user.email, ip=client_ip(request))
    messages.success(request, "The link is withdrawn; it opens nothing any more.")
    return redirect("report-links", report_id)


@page(None)
def shared(request: PageRequest, secret: str) -> HttpResponse:
    """What the link shows to anybody: which report it is, until when, and its files."""
    link = _find(request, secret)
    told = {"link": link, "report": link.report, "secret": secret, "files": FILES}
    return _private(render(request, "portal/shared_report.html", told))


@page(None)
def shared_file(request: PageRequest, secret: str, form_name: str) -> HttpResponse:
    link = _find(request, secret)
    if form_name not in FILES:
        raise ServiceError("REQUEST_001", "There is no such file behind this link.")
    return report_files.answer(*_opened(request, link, form_name))


def _opened(request: PageRequest, link: SharedLink, form_name: str) -> tuple[Report, str, bytes]:
    report, content = write.open_file(link, form_name, ip=client_ip(request))
    return report, form_name, content


def _find(request: PageRequest, secret: str) -> SharedLink:
    """Guessing is limited as signing in is."""
    limit(request, "shared-report", client_network(request), settings.REQUEST_RATE, fail_open=False)
    return write.find(secret)


def _private(response: HttpResponse) -> HttpResponse:
    """The secret is in the address: it goes to no other page, index or cache."""
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response["Cache-Control"] = "no-store"
    return response


def _show(request: PageRequest, report: Report, form: LinkForm, url: str = "") -> HttpResponse:
    now = timezone.now()
    rows = [(link, link.state(now)) for link in report.links.all()]
    told = {"report": report, "form": form, "rows": rows, "url": url}
    return render(request, "portal/report_links.html", told)
