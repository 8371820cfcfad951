"""What every page's template knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts import roles
from accounts.roles import Action


@dataclass(frozen=True)
class Entry:
    """One entry of the menu: name of the address, text, and the action that its page declares."""

    address: str
    title: str
    action: Action


MENU = (
    Entry("fleet", "Fleet", roles.SEE),
    Entry("report-list", "Reports", roles.REPORTS),
    Entry("machines", "Machines", roles.MACHINES),
    Entry("add", "Add a machine", roles.ENROL),
    Entry("people", "People", roles.PEOPLE),
    Entry("audit", "Audit", roles.AUDIT),
    Entry("settings", "Settings", roles.SETTINGS),
)


def page(request: HttpRequest) -> dict[str, Any]:
    return {"tenant": getattr(request, "tenant", None), "version": settings.VERSION, "menu": MENU}
