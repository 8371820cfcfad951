"""The identity provider of this tenant, set by an Admin. Its client secret is sealed and never shown again."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from accounts import audit
from accounts.models import IdentityProvider
from accounts.oidc import Client
from core import sealed

ROW = 1
PURPOSE = "identity provider"
TOLD = ("issuer", "client_id", "label", "is_active", "newcomer_role", "newcomer_domains", "two_steps")


def read() -> IdentityProvider | None:
    return IdentityProvider.objects.filter(pk=ROW).first()


def active() -> IdentityProvider | None:
    """The one that people may sign in with now."""
    return IdentityProvider.objects.filter(pk=ROW, is_active=True).first()


def client(provider: IdentityProvider, redirect_uri: str) -> Client:
    """SealBrokenError when the secret was stored under another SECRET_KEY."""
    secret = sealed.unseal(provider.sealed_secret, PURPOSE) if provider.sealed_secret else ""
    return Client(provider.issuer, provider.client_id, secret, redirect_uri)


def change(wanted: dict[str, Any], secret: str, *, actor: str, ip: str | None) -> None:
    """Set what TOLD names; an empty secret leaves the one of the same issuer. The audit log gets what differs."""
    with transaction.atomic():
        row = IdentityProvider.objects.select_for_update().filter(pk=ROW).first() or IdentityProvider(pk=ROW)
        before = {name: getattr(row, name) for name in TOLD}
        for name in TOLD:
            setattr(row, name, wanted[name])
        if secret or before["issuer"] != wanted["issuer"]:  # another issuer is not sent the secret of the one before
            row.sealed_secret = sealed.seal(secret, PURPOSE) if secret else ""
        row.save()
        changed = {
            name: f"{before[name] or 'none'} → {wanted[name] or 'none'}"
            for name in TOLD
            if before[name] != wanted[name]
        }
        if changed or secret:
            detail: dict[str, Any] = {**changed, **({"client_secret": "replaced"} if secret else {})}
            audit.record("identity_provider.changed", user=actor, ip=ip, **detail)
