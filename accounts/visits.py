"""The operator's visits to a tenant: granted at the operator's host, begun, seen and ended at the tenant's own.

What hands over is a random one-time secret, kept in the tenant's schema as a hash: nothing signed crosses tenants
(trap 26). While a visit lasts its user acts as `operator:<e-mail>`, and so stands in the tenant's audit log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts import audit, sessions
from accounts.models import Role, User, Visit
from core.errors import ServiceError
from core.keys import Secret, generate, parse
from core.tenancy import schema_context

PREFIX = "pfv"
LINK_MINUTES = 5
MOST_MINUTES = 240
ROLES = (Role.VIEWER, Role.ADMIN)
_MARK = "operator:"
_GONE = "This link is unknown, was used, or is older than 5 minutes. Ask for another at the operator's host."


@dataclass(frozen=True)
class Wish:
    """As what, why, and for how long."""

    role: Role
    reason: str
    minutes: int


def grant(schema: str, wish: Wish, *, operator: User, ip: str | None) -> Secret:
    """Called in the operator's own tenant, whose audit log gets it too; the link is for the host of `schema`."""
    secret = generate(PREFIX)
    with transaction.atomic():
        with schema_context(schema):
            Visit.objects.create(
                user=_visitor(operator), role=wish.role, reason=wish.reason, minutes=wish.minutes,
                link_id=secret.public_id, digest=secret.digest,
                link_expires_at=timezone.now() + timedelta(minutes=LINK_MINUTES),
            )  # fmt: skip
        audit.record(
            "visit.granted", user=operator.email, ip=ip, partner=schema, role=str(wish.role), reason=wish.reason,
            minutes=wish.minutes,
        )  # fmt: skip
    return secret


def _visitor(operator: User) -> User:
    """The account of that person here, which can do nothing until a visit begins."""
    blank = {"name": operator.name, "role": Role.VIEWER, "is_active": False, "is_visitor": True}
    user, made = User.objects.get_or_create(email=f"{_MARK}{operator.email}", defaults=blank)
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def find(text: str) -> Visit:
    """The visit that a link offers; PEOPLE_003 when it cannot be begun (any more)."""
    secret = parse(text, PREFIX)
    unused = Visit.objects.filter(began_at__isnull=True, link_expires_at__gt=timezone.now()).select_related("user")
    found = unused.filter(link_id=secret.public_id).first() if secret else None
    if not secret or not secret.matches(found.digest if found else None) or found is None:
        raise ServiceError("PEOPLE_003", _GONE)
    return found


def begin(visit: Visit, *, ip: str | None) -> Visit:
    """From now on, once; an earlier visit of the same person ends. PEOPLE_003 for the second of two at once."""
    now = timezone.now()
    ends_at = now + timedelta(minutes=visit.minutes)
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=visit.user_id)
        if not Visit.objects.filter(pk=visit.pk, began_at__isnull=True).update(began_at=now, ends_at=ends_at):
            raise ServiceError("PEOPLE_003", _GONE)
        for earlier in live().filter(user=user).exclude(pk=visit.pk):
            end(earlier, by=user.email, ip=ip)
        User.objects.filter(pk=user.pk).update(is_active=True, role=visit.role, active_until=ends_at, last_login=now)
        audit.record(
            "operator.entered", user=user.email, ip=ip, role=visit.role, reason=visit.reason, visit=visit.link_id,
            until=ends_at.isoformat(timespec="seconds"),
        )  # fmt: skip
    return Visit.objects.select_related("user").get(pk=visit.pk)


def end(visit: Visit, *, by: str, ip: str | None) -> None:
    """Its sessions end at once; harmless when it has ended."""
    now = timezone.now()
    with transaction.atomic():
        if not live().filter(pk=visit.pk).update(ended_at=now, ended_by=by):
            return
        sessions.end_all(visit.user)
        User.objects.filter(pk=visit.user_id).update(is_active=False, active_until=None, role=Role.VIEWER)
        audit.record(
            "operator.left", user=visit.user.email, ip=ip, visit=visit.link_id, ended_by=by,
            began=visit.began_at.isoformat(timespec="seconds") if visit.began_at else "",
        )  # fmt: skip


def end_overdue(now: datetime) -> int:
    """End those whose time is up; how many. Until then the role is refused already (User.active_until)."""
    overdue = list(live().filter(ends_at__lte=now))
    for visit in overdue:
        end(visit, by="time", ip=None)
    return len(overdue)


def live() -> QuerySet[Visit]:
    """Begun and not ended, newest first."""
    return Visit.objects.filter(began_at__isnull=False, ended_at__isnull=True).select_related("user")


def latest(count: int) -> list[Visit]:
    """Those that ever began, newest first."""
    return list(Visit.objects.filter(began_at__isnull=False).select_related("user")[:count])


def of(user: User) -> Visit | None:
    """The one that lets this visitor in now."""
    return live().filter(user=user, ends_at__gt=timezone.now()).first()
