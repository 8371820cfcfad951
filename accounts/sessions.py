"""Sessions that know their user: the session engine (SESSION_ENGINE), and listing and ending them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import Session, User
from core.limits import client_ip

ORIGIN = "origin"


class SessionStore(DatabaseStore):
    """Django's own, in a table with the user and where the session came from."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        origin = data.get(ORIGIN, {})
        return Session(
            session_key=self._get_or_create_session_key(),  # type: ignore[attr-defined]  # as Django's does
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SESSION_KEY),
            since=datetime.fromisoformat(origin["since"]) if origin else None,
            ip=origin.get("ip"),
            browser=origin.get("browser", ""),
        )


def remember_origin(request: HttpRequest) -> None:
    """Call at sign-in."""
    browser = request.headers.get("User-Agent", "").replace("\0", "")[:200]
    request.session[ORIGIN] = {
        "since": timezone.now().isoformat(), "ip": client_ip(request), "browser": browser,
    }  # fmt: skip


def of(user: User) -> QuerySet[Session]:
    """The live ones, newest first."""
    return user.sessions.filter(expire_date__gt=timezone.now()).order_by("-since")


def end(user: User, public_id: str) -> bool:
    """End one of the user's own; False when there is none of that id."""
    keys = [session.session_key for session in user.sessions.all() if session.public_id == public_id]
    return bool(user.sessions.filter(session_key__in=keys).delete()[0])


def end_all(user: User, *, but: str | None = None) -> None:
    user.sessions.exclude(session_key=but or "").delete()


def clear(now: datetime) -> int:
    """Delete the expired ones; how many."""
    return Session.objects.filter(expire_date__lte=now).delete()[0]
