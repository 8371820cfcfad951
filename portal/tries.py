"""How often somebody may try to get in: from one address, and for one account. When the counting fails, nobody may."""

from __future__ import annotations

from django.conf import settings

from core.limits import client_network, limit
from portal.access import PageRequest


def by_address(request: PageRequest, what: str = "sign-in") -> None:
    """Each step has its own count, so that an office behind one address does not use one up with another."""
    limit(request, f"{what}-address", client_network(request), settings.SIGN_IN_RATE, fail_open=False)


def by_account(request: PageRequest, email: str) -> None:
    """Passwords, from wherever they come."""
    limit(request, "sign-in-account", f"{request.tenant.schema_name}:{email}", settings.SIGN_IN_RATE, fail_open=False)


def by_factor(request: PageRequest, user_id: int) -> None:
    """Codes of a second factor: six digits, of which three are right at any time."""
    account = f"{request.tenant.schema_name}:{user_id}"
    limit(request, "second-factor", account, settings.SECOND_FACTOR_RATE, fail_open=False)
