"""What every page's template knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from accounts import roles, visits
from accounts.models import User, Visit
from accounts.roles import Action
from portal.access import tenant_row
from portal.brand import Brand


@dataclass(frozen=True)
class Entry:
    """One entry of a menu: name of the address, text, and the action that its page declares."""

    address: str
    title: str
    action: Action


MENU = (
    Entry("fleet", "Fleet", roles.SEE),
    Entry("alerts", "Alerts", roles.SEE),
    Entry("compare", "Compare", roles.SEE),
    Entry("report-list", "Reports", roles.REPORTS),
)
MANAGE = (
    Entry("machines", "Machines", roles.MACHINES),
    Entry("add", "Add a machine", roles.ENROL),
    Entry("people", "People", roles.PEOPLE),
    Entry("audit", "Audit", roles.AUDIT),
    Entry("settings", "Settings", roles.SETTINGS),
)
"""Behind one button, because an Admin has more of them than a row holds."""
OPERATOR_MENU = (Entry("operator", "Partners", roles.OPERATE), *MENU)


def page(request: HttpRequest) -> dict[str, Any]:
    """`brand` and `visit` are read when a template first asks: pages of errors must not ask the database."""
    tenant = getattr(request, "tenant", None)
    brand = SimpleLazyObject(lambda: Brand(tenant_row(request))) if tenant else None
    menu = OPERATOR_MENU if tenant and tenant.is_operator else MENU
    visit = SimpleLazyObject(lambda: _visit(request))
    return {
        "tenant": tenant,
        "brand": brand,
        "version": settings.VERSION,
        "menu": menu,
        "manage": MANAGE,
        "visit": visit,
    }


def _visit(request: HttpRequest) -> Visit | None:
    """The visit that the operator's visitor is here on; None for the tenant's own people."""
    user = getattr(request, "user", None)
    return visits.of(user) if isinstance(user, User) and user.is_visitor else None
