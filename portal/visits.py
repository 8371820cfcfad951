"""Pages of the operator's visits, at the tenant's own host: the way in, and for its Admins all visits and their end."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.http import HttpResponse
from django.shortcuts import redirect, render

from accounts import factors, roles, sessions
from accounts import visits as write
from accounts.models import Visit
from core.errors import ServiceError
from core.limits import client_ip, client_network, limit
from portal.access import PageRequest, page

MOST_SHOWN = 200
BACKEND = "django.contrib.auth.backends.ModelBackend"


@page(None, "GET", "HEAD", "POST")
def visit(request: PageRequest, secret: str) -> HttpResponse:
    """Looking at it uses nothing up: what follows links ahead of people must not."""
    limit(request, "sign-in-address", client_network(request), settings.SIGN_IN_RATE, fail_open=False)
    found = write.find(secret)
    if request.method != "POST":
        response = render(request, "portal/visit.html", {"offered": found})
        response["Referrer-Policy"] = "strict-origin"  # the secret is in this page's address
        return response
    begun = write.begin(found, ip=client_ip(request))
    logout(request)
    login(request, begun.user, BACKEND)
    request.session.set_expiry(begun.ends_at)
    request.session[factors.SECOND] = True  # where a customer asks for one, `partners.enter` did
    sessions.remember_origin(request)
    return redirect("fleet")


@page(roles.VISITS)
def visits(request: PageRequest) -> HttpResponse:
    return render(request, "portal/visits.html", {"visits": write.latest(MOST_SHOWN)})


@page(roles.VISITS, "POST")
def end(request: PageRequest, link_id: str) -> HttpResponse:
    found = Visit.objects.filter(link_id=link_id).select_related("user").first()
    if found is None:
        raise ServiceError("REQUEST_001", "There is no such visit here.")
    write.end(found, by=request.user.email, ip=client_ip(request))
    if found.user_id == request.user.pk:
        return redirect("sign-in")
    messages.success(request, f"The visit of {found.user.email} is ended.")
    return redirect("visits")
