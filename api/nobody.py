"""The default permission; apart from the others because DRF imports it before its own views exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class Nobody(BasePermission):
    """A view that declares nothing answers nobody (trap 30)."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return False
