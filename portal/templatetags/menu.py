"""What the menu shows to whom."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.urls import reverse

from accounts import roles
from accounts.roles import Action
from portal.context import Entry

register = template.Library()


@register.filter
def may(user: object, action: Action) -> bool:
    return action.allows(user)


@register.filter
def entries_for(entries: Sequence[Entry], user: object) -> list[Entry]:
    """Those that this person may open."""
    return [entry for entry in entries if entry.action.allows(user)]


@register.filter
def has_address(entries: Sequence[Entry], address: str) -> bool:
    return any(entry.address == address for entry in entries)


@register.filter
def is_admin(user: object) -> bool:
    return roles.MACHINES.allows(user)


@register.filter
def leads_to(entry: Entry, path: str) -> str:
    """For aria-current: `page` on the entry's own page, `true` on a page below it, else empty."""
    address = reverse(entry.address)
    if path == address:
        return "page"
    return "true" if address != "/" and path.startswith(f"{address}/") else ""
