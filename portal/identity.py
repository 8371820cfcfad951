"""Pages: sign in, join and link an account with the tenant's identity provider, there and back."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import asdict, dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse

from accounts import audit, identities, links, oidc, providers, roles
from accounts.models import IdentityProvider, Link, LinkKind, User
from accounts.oidc import Client, Endpoints, Journey, Person
from core.errors import ServiceError
from core.limits import client_ip
from core.sealed import SealBrokenError
from portal import entering, tries
from portal.access import PageRequest, page
from portal.confirming import confirmed

logger = logging.getLogger("perfanalysis.signing")

TRIPS = "identity_trips"
TRIP_SECONDS = 600
MOST_TRIPS = 5
WAY = "identity provider"


@dataclass(frozen=True)
class Trip:
    """A browser's way to the provider and back, kept in its session: what it is for, and what must come back.

    At most one of the two is there: user_id of whoever links the account, invitation of whoever joins by it.
    """

    journey: dict[str, str]
    endpoints: dict[str, Any]
    issuer: str
    client_id: str
    onward: str
    until: float
    user_id: int | None = None
    invitation: str = ""


@page(None)
def start(request: PageRequest) -> HttpResponse:
    """To the provider; what counts is checked when the browser comes back."""
    tries.by_address(request, "provider")
    if isinstance(request.user, User):
        return HttpResponseRedirect(entering.onward(request))
    request.session.set_expiry(TRIP_SECONDS)
    return HttpResponseRedirect(_set_out(request, entering.onward(request)))


@page(None)
def join(request: PageRequest, secret: str) -> HttpResponse:
    """By an invitation; it is used up when the browser comes back."""
    tries.by_address(request)
    invitation = links.find(LinkKind.INVITATION, secret)
    request.session.flush()
    request.session.set_expiry(TRIP_SECONDS)
    return HttpResponseRedirect(_set_out(request, reverse("fleet"), invitation=invitation.link_id))


@page(roles.OWN_ACCOUNT, "POST")
@confirmed()
def link(request: PageRequest) -> HttpResponse:
    """Answers with a link to follow: a form may not lead to another host (form-action of the security policy)."""
    provider = _active()
    url = _set_out(request, reverse("security"), user_id=request.user.pk)
    return render(request, "portal/link_identity.html", {"url": url, "provider": provider})


@page(roles.OWN_ACCOUNT, "POST")
@confirmed()
def unlink(request: PageRequest, identity_id: int) -> HttpResponse:
    found = request.user.identities.filter(pk=identity_id).first()
    if found is None:
        raise ServiceError("REQUEST_001", "You have no such account linked.")
    identities.unlink(request.user, found, ip=client_ip(request))
    messages.success(request, "It is not linked any more.")
    return redirect("security")


@page(None)
def callback(request: PageRequest) -> HttpResponse:
    """The way back. Each state works once, in the session that it was made for."""
    tries.by_address(request)
    try:
        trip = _take(request)
        person = _ask(request, trip)
        return _arrive(request, trip, person)
    except ServiceError as error:
        who = request.user.email if isinstance(request.user, User) else ""
        audit.record(
            "sign_in_failed", user=who, ip=client_ip(request), status="refused", way=WAY, reason=error.sentence[:200]
        )
        raise


def _set_out(request: PageRequest, onward: str, *, user_id: int | None = None, invitation: str = "") -> str:
    """The address at the provider; the session keeps what must come back."""
    provider = _active()
    endpoints, journey = oidc.discover(provider.issuer), oidc.new_journey()
    trip = Trip(
        asdict(journey), asdict(endpoints), provider.issuer, provider.client_id, onward, time.time() + TRIP_SECONDS,
        user_id, invitation,
    )  # fmt: skip
    trips = dict(list(request.session.get(TRIPS, {}).items())[1 - MOST_TRIPS :])
    request.session[TRIPS] = {**trips, journey.state: asdict(trip)}
    return oidc.authorization_url(endpoints, _client(request, provider), journey)


def _take(request: PageRequest) -> Trip:
    """The trip that ends here, used up."""
    trips = request.session.get(TRIPS, {})
    found = trips.pop(request.GET.get("state", ""), None)
    if found is None or found["until"] < time.time():
        raise ServiceError("AUTH_007", "This answer is unknown here, was used, or is too old. Start again at sign-in.")
    request.session[TRIPS] = trips
    request.session.save()  # now, so that it is used up whatever happens
    return Trip(**found)


def _ask(request: PageRequest, trip: Trip) -> Person:
    """Who came back, from the provider itself."""
    provider = _active()
    if (trip.issuer, trip.client_id) != (provider.issuer, provider.client_id):
        raise ServiceError("AUTH_007", "The identity provider was changed meanwhile. Start again at sign-in.")
    if request.GET.get("iss", trip.issuer) != trip.issuer:  # RFC 9207
        raise ServiceError("AUTH_007", "Another identity provider answered than was asked.")
    if "code" not in request.GET:
        raise ServiceError("AUTH_007", _trouble(request.GET.get("error", "")))
    journey, endpoints = Journey(**trip.journey), Endpoints(**trip.endpoints)
    return oidc.fetch_person(endpoints, _client(request, provider), journey, request.GET["code"])


def _arrive(request: PageRequest, trip: Trip, person: Person) -> HttpResponse:
    if trip.user_id is not None:
        return _link(request, trip, person)
    ip, provider = client_ip(request), _active()
    if trip.invitation:
        user = identities.join(_invitation(trip), person, ip=ip)
    else:
        user = identities.known(person) or identities.newcomer(person, provider, ip=ip)
    if provider.two_steps:
        return entering.complete(request, user, trip.onward, way=WAY, factor=WAY)
    return entering.enter(request, user, trip.onward, way=WAY)


def _link(request: PageRequest, trip: Trip, person: Person) -> HttpResponse:
    if not isinstance(request.user, User) or request.user.pk != trip.user_id:
        raise ServiceError("AUTH_007", "You are not signed in any more as who you were. Start again.")
    identities.link(request.user, person, ip=client_ip(request))
    messages.success(request, "It is linked: you can sign in with it from now on.")
    return HttpResponseRedirect(trip.onward)


def _invitation(trip: Trip) -> Link:
    found = Link.objects.filter(kind=LinkKind.INVITATION, link_id=trip.invitation).first()
    if found is None:
        raise ServiceError("PEOPLE_003", "This invitation is unknown. Ask an Admin for another.")
    return found


def _active() -> IdentityProvider:
    provider = providers.active()
    if provider is None:
        raise ServiceError("REQUEST_001", "No identity provider is set up here. Sign in with e-mail and password.")
    return provider


def _client(request: PageRequest, provider: IdentityProvider) -> Client:
    try:
        return providers.client(provider, request.build_absolute_uri(reverse("provider-callback")))
    except SealBrokenError as error:
        logger.error("%s", error)
        raise ServiceError(
            "AUTH_008", "The provider's client secret cannot be read. An Admin can enter it again."
        ) from None


def _trouble(code: str) -> str:
    """What the provider says went wrong; its own text is not repeated (trap 40)."""
    if code == "access_denied":
        return "The identity provider did not let you in, or you stopped there."
    told = f" ({code})" if re.fullmatch(r"[a-z_]{1,40}", code) else ""
    return f"The identity provider answered with an error{told}. Ask an Admin."
