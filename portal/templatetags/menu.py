"""What the menu shows to whom."""

from __future__ import annotations

from django import template

from accounts.models import Role, User

register = template.Library()


@register.filter
def may(user: object, role: Role) -> bool:
    return isinstance(user, User) and user.has_role(role)


@register.filter
def is_admin(user: object) -> bool:
    return may(user, Role.ADMIN)
