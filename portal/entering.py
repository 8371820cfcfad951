"""From a first proof of who somebody is to a session of theirs: in between, a second factor may be asked for."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import audit, factors, sessions
from accounts.models import User
from core.limits import client_ip

PENDING, CONFIRMED = "pending", "confirmed_at"
PENDING_SECONDS = 600
CONFIRMED_SECONDS = 900
MOST_TRIES = 5


@dataclass
class Pending:
    """Kept in a session that is nobody's: whose second factor is awaited, until when, and what was proved so far."""

    user_id: int
    proof: str
    until: float
    onward: str
    way: str
    tries: int = 0

    def user(self) -> User | None:
        """None when the time is over, or the password or the account changed meanwhile."""
        user = User.objects.filter(pk=self.user_id, is_active=True).first()
        fresh = user is not None and constant_time_compare(self.proof, user.get_session_auth_hash())
        return user if fresh and time.time() < self.until else None


def enter(request: HttpRequest, user: User, onward: str, *, way: str) -> HttpResponse:
    """Sign the person in, or ask for the second factor first; `way` says in the audit log how they came."""
    if not factors.has_any(user):
        return complete(request, user, onward, way=way)
    request.session.flush()
    proof, until = user.get_session_auth_hash(), time.time() + PENDING_SECONDS
    keep(request, Pending(user.pk, proof, until, onward, way))
    return redirect("sign-in-factor")


def complete(request: HttpRequest, user: User, onward: str, *, way: str, factor: str = "") -> HttpResponse:
    """Sign the person in, in a new session."""
    request.session.flush()
    login(request, user)
    sessions.remember_origin(request)
    confirm(request)
    request.session[factors.SECOND] = bool(factor)
    audit.record("sign_in", user=user.email, ip=client_ip(request), way=way, factor=factor or "none")
    return HttpResponseRedirect(onward)


def keep(request: HttpRequest, pending: Pending) -> None:
    request.session[PENDING] = asdict(pending)
    request.session.set_expiry(PENDING_SECONDS)


def pending(request: HttpRequest) -> Pending | None:
    found = request.session.get(PENDING)
    return Pending(**found) if found else None


def confirm(request: HttpRequest) -> None:
    """Remember that the person at the browser has just proved who they are."""
    request.session[CONFIRMED] = time.time()


def is_confirmed(request: HttpRequest) -> bool:
    return bool(time.time() < request.session.get(CONFIRMED, 0) + CONFIRMED_SECONDS)


def onward(request: HttpRequest, otherwise: str = "fleet") -> str:
    """Where to go afterwards: the `next` of the request when it is an address of this host."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else reverse(otherwise)
