"""What the menu shows to whom."""

from __future__ import annotations

from django import template

from accounts import roles
from accounts.roles import Action

register = template.Library()


@register.filter
def may(user: object, action: Action) -> bool:
    return action.allows(user)


@register.filter
def is_admin(user: object) -> bool:
    return roles.MACHINES.allows(user)
