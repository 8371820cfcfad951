"""One-time links: a random secret in the address, stored as a hash in the tenant's own schema.

Nothing is signed, so that no other tenant can make or read one (trap 26).
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts.models import Link, LinkKind
from core.errors import ServiceError
from core.keys import Secret, generate, parse

PREFIX = "pfl"


def make(kind: LinkKind, email: str, hours: int, *, actor: str, role: str = "") -> Secret:
    """A new link; earlier ones of that kind for the same person stop. Run it in a transaction."""
    now = timezone.now()
    revoke(kind, email)
    secret = generate(PREFIX)
    Link.objects.create(
        kind=kind, email=email, role=role, link_id=secret.public_id, digest=secret.digest, created_by=actor,
        expires_at=now + timedelta(hours=hours),
    )  # fmt: skip
    return secret


def revoke(kind: LinkKind, email: str) -> None:
    """Those of that kind that still work for the person."""
    now = timezone.now()
    Link.objects.live(now).filter(kind=kind, email=email).update(revoked_at=now)


def find(kind: LinkKind, text: str) -> Link:
    """The live link of that text; PEOPLE_003 when there is none."""
    secret = parse(text, PREFIX)
    found = _live(kind, secret.public_id) if secret else None
    if not secret or not secret.matches(found.digest if found else None) or found is None:
        raise ServiceError("PEOPLE_003", "This link is unknown, was used, or has expired. Ask an Admin for another.")
    return found


def use(link: Link) -> None:
    """Use it up; PEOPLE_003 for the second of two at once."""
    now = timezone.now()
    if not Link.objects.live(now).filter(pk=link.pk).update(used_at=now):
        raise ServiceError("PEOPLE_003", "This link was used just now. Sign in, or ask an Admin for another.")


def _live(kind: LinkKind, link_id: str) -> Link | None:
    return Link.objects.live(timezone.now()).filter(kind=kind, link_id=link_id).first()
