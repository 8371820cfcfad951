"""Pages for Admins: add a machine by pasted lines, and watch it arrive. And the agent to download, for anyone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts import roles
from accounts.models import AuditEvent
from collectors import keys, registry
from collectors.models import Collector, EnrolmentToken
from core.errors import ServiceError
from core.limits import client_ip
from portal.access import PageRequest, page
from portal.forms import TokenForm

AGENT = "perfagent.pyz"


@dataclass(frozen=True)
class Live:
    """A token that can still be used, or has been, and the machines that it registered."""

    token: EnrolmentToken
    machines: Sequence[Collector]

    @property
    def waits(self) -> bool:
        """Whether a machine is still to come, or to send its first batch."""
        return not self.machines or any(machine.last_seen is None for machine in self.machines)


@page(roles.ENROL)
def add(request: PageRequest) -> HttpResponse:
    return _show(request, TokenForm())


@page(roles.ENROL, "POST")
def make_token(request: PageRequest) -> HttpResponse:
    """Answers with the line to paste, because the token is shown only once."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _show(request, form)
    asked = form.cleaned_data
    secret = registry.make_enrolment_token(
        actor=request.user.email, hours=asked["hours"], uses=asked["uses"], ip=client_ip(request)
    )
    return _show(request, TokenForm(), secret)


@page(roles.ENROL)
def arrivals(request: PageRequest, token_id: str) -> HttpResponse:
    """The part of the page that waits for the machines of one token."""
    return render(request, "portal/arrivals.html", {"live": _live(_find(token_id))})


@page(roles.ENROL, "POST")
def revoke_token(request: PageRequest, token_id: str) -> HttpResponse:
    registry.revoke_enrolment_token(_find(token_id), actor=request.user.email, ip=client_ip(request))
    messages.success(request, "The token is revoked. Machines that it registered stay.")
    return redirect("add")


@page(None)
def download_agent(request: PageRequest) -> HttpResponse:
    """The agent as one file. No sign-in: it holds no secret, and servers fetch it with curl."""
    built = settings.BASE_DIR / "dist" / AGENT
    if not built.is_file():
        raise ServiceError("REQUEST_001", "The agent is not built on this portal yet. Its operator runs: make agent")
    response = HttpResponse(built.read_bytes(), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{AGENT}"'
    return response


def _show(request: PageRequest, form: TokenForm, secret: keys.Secret | None = None) -> HttpResponse:
    now = timezone.now()
    usable = EnrolmentToken.objects.filter(revoked_at__isnull=True, expires_at__gt=now, uses_left__gt=0)
    context = {
        "form": form,
        "tokens": list(usable),
        "token": str(secret) if secret else "",
        "live": _live(_find(secret.public_id)) if secret else None,
        "portal": request.build_absolute_uri("/").rstrip("/"),
        "has_agent": (settings.BASE_DIR / "dist" / AGENT).is_file(),
    }
    return render(request, "portal/add.html", context)


def _find(token_id: str) -> EnrolmentToken:
    token = EnrolmentToken.objects.filter(token_id=token_id).first()
    if token is None:
        raise ServiceError("REQUEST_001", "There is no such token here.")
    return token


def _live(token: EnrolmentToken) -> Live:
    """Which machines a token registered is known from the audit log."""
    registered = AuditEvent.objects.filter(
        event="collector.registered", user=f"enrolment:{token.token_id}", timestamp__gte=token.created_at
    )
    names = registered.values_list("machine_id", flat=True)
    return Live(token, list(Collector.objects.filter(machine_id__in=names)))
