"""Who may call what; each view declares one of these."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import Role, User
from api.authentication import Enrolment, Machine, has_role


class Anyone(BasePermission):
    pass


class IsMachine(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Machine)


class IsPerson(BasePermission):
    """Any signed-in user of the tenant."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User)


class IsAnalyst(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return has_role(request.user, Role.ANALYST)


class IsAdmin(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return has_role(request.user, Role.ADMIN)


class ReadByPersonElseAdmin(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        least = Role.VIEWER if request.method in ("GET", "HEAD") else Role.ADMIN
        return has_role(request.user, least)


class MayRegister(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Enrolment) or has_role(request.user, Role.ADMIN)


class MayRotate(BasePermission):
    """An Admin, or the machine itself."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, Machine):
            return bool(request.user.collector.machine_id == view.kwargs["machine_id"])
        return has_role(request.user, Role.ADMIN)
