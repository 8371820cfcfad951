"""What every page's template knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts.models import Role


@dataclass(frozen=True)
class Entry:
    """One entry of the menu: name of the address, text, and least role."""

    address: str
    title: str
    role: Role


MENU = (
    Entry("fleet", "Fleet", Role.VIEWER),
    Entry("machines", "Machines", Role.ADMIN),
    Entry("add", "Add a machine", Role.ADMIN),
)


def page(request: HttpRequest) -> dict[str, Any]:
    return {"tenant": getattr(request, "tenant", None), "version": settings.VERSION, "menu": MENU}
