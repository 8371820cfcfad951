"""Scheduled reports: list, make, change, pause, run, delete."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import tenant_settings
from api.permissions import MayReport
from api.schemas import ErrorBody, ReportAnswer, ScheduleAnswer, ScheduleChange, ScheduleList, ScheduleOrder
from api.views import View
from core.limits import client_ip
from reports.jobs import schedules
from reports.jobs.models import Schedule
from reports.jobs.schedules import Plan

_ERRORS = dict.fromkeys((401, 403, 404, 429), ErrorBody)


class Schedules(View):
    permission_classes = (MayReport,)

    @extend_schema(
        operation_id="report_schedules_list", summary="Scheduled reports", responses={200: ScheduleList, **_ERRORS}
    )
    def get(self, request: Request) -> Response:
        return Response({"schedules": ScheduleAnswer(Schedule.objects.all(), many=True).data})

    @extend_schema(
        summary="Schedule a report",
        description="Of the calendar week or month before, in the tenant's time zone, and mailed to the recipients.",
        request=ScheduleOrder,
        responses={201: ScheduleAnswer, 400: ErrorBody, **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        form = ScheduleOrder(data=request.data)
        form.is_valid(raise_exception=True)
        made = schedules.make(Plan(**form.validated_data), timezone.now(), **_who(self, request))
        return Response(ScheduleAnswer(made).data, status=201)


class ScheduleDetail(View):
    permission_classes = (MayReport,)

    @extend_schema(
        summary="One schedule, with its latest reports and their mails", responses={200: ScheduleAnswer, **_ERRORS}
    )
    def get(self, request: Request, schedule_id: str) -> Response:
        return Response(ScheduleAnswer(schedules.find(schedule_id)).data)

    @extend_schema(
        summary="Change, pause or resume a schedule",
        description="Only what is given. Resumed, or with another time, it makes up for nothing that was missed.",
        request=ScheduleChange,
        responses={200: ScheduleAnswer, 400: ErrorBody, **_ERRORS},
    )
    def patch(self, request: Request, schedule_id: str) -> Response:
        form = ScheduleChange(data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        changed = dict(form.validated_data)
        paused, who = changed.pop("paused", None), _who(self, request)
        found = schedules.find(schedule_id)
        if changed:
            found = schedules.change(schedule_id, replace(Plan.of(found), **changed), timezone.now(), **who)
        if paused is True and not found.paused:
            found = schedules.pause(schedule_id, **who)
        if paused is False and found.paused:
            found = schedules.resume(schedule_id, timezone.now(), **who)
        return Response(ScheduleAnswer(found).data)

    @extend_schema(summary="Delete a schedule", description="Its reports stay.", responses={204: None, **_ERRORS})
    def delete(self, request: Request, schedule_id: str) -> Response:
        schedules.delete(schedule_id, **_who(self, request))
        return Response(status=204)


class ScheduleRun(View):
    permission_classes = (MayReport,)

    @extend_schema(
        summary="Run a schedule now",
        description="A report of the last whole week or month, mailed as ever.",
        request=None,
        responses={202: ReportAnswer, 400: ErrorBody, **_ERRORS},
    )
    def post(self, request: Request, schedule_id: str) -> Response:
        report = schedules.run(schedule_id, tenant_settings.zone(), timezone.now(), **_who(self, request))
        return Response(ReportAnswer(report).data, status=202)


def _who(view: View, request: Request) -> dict[str, Any]:
    return {"actor": view.actor(request), "ip": client_ip(request._request)}
