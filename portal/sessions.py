"""Pages: where one is signed in, and signing out there."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts import audit, roles, sessions
from core.errors import ServiceError
from core.limits import client_ip
from portal.access import PageRequest, page
from portal.browsers import browser_name


@page(roles.OWN_ACCOUNT)
def own_sessions(request: PageRequest) -> HttpResponse:
    here = request.session.session_key
    rows = [
        (session, session.session_key == here, browser_name(session.browser)) for session in sessions.of(request.user)
    ]
    return render(request, "portal/sessions.html", {"rows": rows})


@page(roles.OWN_ACCOUNT, "POST")
def end(request: PageRequest, public_id: str) -> HttpResponse:
    if not sessions.end(request.user, public_id):
        raise ServiceError("REQUEST_001", "There is no such session of yours.")
    audit.record("session.ended", user=request.user.email, ip=client_ip(request), session=public_id)
    messages.success(request, "That browser is signed out.")
    return redirect("sessions")


@page(roles.OWN_ACCOUNT, "POST")
def end_all(request: PageRequest) -> HttpResponse:
    sessions.end_all(request.user)
    audit.record("sessions.ended", user=request.user.email, ip=client_ip(request))
    logout(request)
    return redirect("sign-in")
