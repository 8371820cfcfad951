"""Personal API tokens: made, recognised, revoked."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import audit
from accounts.models import PersonalToken, Scope, User
from core.keys import Secret, generate

PERSONAL = "pft"
READING = ("GET", "HEAD")
TOUCH_EVERY = timedelta(minutes=1)


def make(user: User, name: str, scope: Scope, days: int, *, ip: str | None) -> Secret:
    """A new token of the user, in clear for this once."""
    secret = generate(PERSONAL)
    expires_at = timezone.now() + timedelta(days=days)
    with transaction.atomic():
        PersonalToken.objects.create(
            user=user, name=name, scope=scope, token_id=secret.public_id, digest=secret.digest, expires_at=expires_at
        )
        audit.record(
            "token.made", user=user.email, ip=ip, token_id=secret.public_id, scope=str(scope), days=days
        )  # fmt: skip
    return secret


def authenticate(secret: Secret) -> PersonalToken | None:
    """The live token of an active user, or None: unknown, revoked and expired ones look and cost the same."""
    now = timezone.now()
    live = PersonalToken.objects.filter(revoked_at__isnull=True, expires_at__gt=now, user__is_active=True)
    found = live.select_related("user").filter(token_id=secret.public_id).first()
    if not secret.matches(found.digest if found else None) or found is None:
        return None
    if found.last_used is None or found.last_used <= now - TOUCH_EVERY:
        due = Q(last_used__isnull=True) | Q(last_used__lte=now - TOUCH_EVERY)
        PersonalToken.objects.filter(due, pk=found.pk).update(last_used=now)
    return found


def allows(token: PersonalToken, method: str | None) -> bool:
    """Whether the scope covers the method; what the role allows is decided elsewhere."""
    return token.scope == Scope.ADMIN or method in READING


def revoke(token: PersonalToken, *, actor: str, ip: str | None) -> None:
    with transaction.atomic():
        if PersonalToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now()):
            audit.record("token.revoked", user=actor, ip=ip, token_id=token.token_id, of=token.user.email)
