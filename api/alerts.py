"""Alerts: what is open, what was, one with its changes; taking charge of one and giving it back."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import handling
from alerts.models import Alert
from api.permissions import MayHandleAlerts, SeenByPersonElseHandled
from api.schemas import ErrorBody
from api.schemas_alerts import AlertAnswer, AlertDetailAnswer, AlertList, AlertQuery, NoteBody
from api.views import View
from core.errors import ServiceError
from core.limits import client_ip

_ERRORS = dict.fromkeys((400, 401, 403, 404, 429), ErrorBody)


class Alerts(View):
    permission_classes = (SeenByPersonElseHandled,)

    @extend_schema(
        operation_id="alerts_list",
        summary="Alerts, the newest first",
        description="Without parameters those that are open.",
        parameters=[AlertQuery],
        responses={200: AlertList, **_ERRORS},
    )
    def get(self, request: Request) -> Response:
        query = AlertQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        found = list(_chosen(asked)[: asked["limit"] + 1])
        shown = found[: asked["limit"]]
        older = shown[-1].public_id if len(found) > len(shown) else None
        return Response({"alerts": AlertAnswer(shown, many=True).data, "next": older})


def _chosen(asked: dict[str, Any]) -> QuerySet[Alert]:
    found = _seen().order_by("-id")
    if asked["state"] == "open":
        found = found & Alert.objects.loud()
    elif asked["state"] != "any":
        found = found.filter(state=asked["state"])
    columns = {"severity": "severity", "machine_id": "collector__machine_id", "rule": "rule"}
    found = found.filter(**{columns[name]: asked[name] for name in columns if name in asked})
    return found.filter(pk__lt=_find(asked["before"]).pk) if "before" in asked else found


def _seen() -> QuerySet[Alert]:
    """What people see: past its grace time."""
    return Alert.objects.ever_fired().select_related("rule", "collector")


def _find(alert_id: str) -> Alert:
    found = _seen().filter(public_id=alert_id).first()
    if found is None:
        raise ServiceError("ALERT_001", f"There is no alert {alert_id[:32]!r} here.")
    return found


class AlertDetail(View):
    permission_classes = (SeenByPersonElseHandled,)

    @extend_schema(summary="One alert, with every change", responses={200: AlertDetailAnswer, **_ERRORS})
    def get(self, request: Request, alert_id: str) -> Response:
        return Response(AlertDetailAnswer(_find(alert_id)).data)


class Acknowledge(View):
    permission_classes = (MayHandleAlerts,)

    @extend_schema(
        summary="Acknowledge an alert",
        description="Somebody is at it: no reminders, no escalation. ALERT_003 when it is not firing.",
        request=NoteBody,
        responses={200: AlertDetailAnswer, 409: ErrorBody, **_ERRORS},
    )
    def post(self, request: Request, alert_id: str) -> Response:
        found, note = _find(alert_id), _note(request)
        if not handling.acknowledge(found, actor=self.actor(request), ip=client_ip(request._request), note=note):
            raise ServiceError("ALERT_003", f"The alert is {found.state}: only one that fires can be acknowledged.")
        return Response(AlertDetailAnswer(_find(alert_id)).data)


class Withdraw(View):
    permission_classes = (MayHandleAlerts,)

    @extend_schema(
        summary="Withdraw an acknowledgement",
        description="It repeats and escalates again. ALERT_003 when it was not acknowledged.",
        request=NoteBody,
        responses={200: AlertDetailAnswer, 409: ErrorBody, **_ERRORS},
    )
    def post(self, request: Request, alert_id: str) -> Response:
        found, note = _find(alert_id), _note(request)
        if not handling.withdraw(found, actor=self.actor(request), ip=client_ip(request._request), note=note):
            raise ServiceError("ALERT_003", f"The alert is {found.state}: there is no acknowledgement to withdraw.")
        return Response(AlertDetailAnswer(_find(alert_id)).data)


def _note(request: Request) -> str:
    form = NoteBody(data=request.data)
    form.is_valid(raise_exception=True)
    return str(form.validated_data["note"])
