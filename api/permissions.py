"""Who may call what; each view declares one of these, and each of these asks the matrix of accounts.roles."""

from __future__ import annotations

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts import roles
from api.authentication import Enrolment, Machine


def may(caller: object, action: roles.Action) -> bool:
    if isinstance(caller, Machine):
        return action.machine
    return action.enrolment if isinstance(caller, Enrolment) else action.allows(caller)


class Anyone(BasePermission):
    pass


class MayUpload(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.UPLOAD)


class IsPerson(BasePermission):
    """Any user of the tenant."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.SEE)


class IsAnalyst(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.EXPORT)


class MayReport(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.REPORTS)


class ReadByPersonElseAdmin(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.SEE if request.method in ("GET", "HEAD") else roles.MACHINES)


class SeenByPersonElseAnnotated(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.SEE if request.method in ("GET", "HEAD") else roles.ANNOTATE)


class SeenByPersonElseHandled(BasePermission):
    """Alerts, rules and silences."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.SEE if request.method in ("GET", "HEAD") else roles.ALERTS)


class MayHandleAlerts(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.ALERTS)


class MayEditChannels(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.CHANNELS)


class MayRegister(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return may(request.user, roles.REGISTER)


class MayRotate(BasePermission):
    """An Admin, or the machine itself."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, Machine) and request.user.collector.machine_id != view.kwargs["machine_id"]:
            return False
        return may(request.user, roles.ROTATE)
