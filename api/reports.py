"""Reports: ask for one, follow it, fetch its files, delete it."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.permissions import MayReport
from api.schemas import ErrorBody, LinkAnswer, LinkList, LinkOrder, ReportAnswer, ReportList, ReportOrder
from api.views import View
from core.limits import client_ip
from reports.jobs import links, queue
from reports.jobs.models import Report

MOST_LISTED = 500
_ERRORS = dict.fromkeys((401, 403, 404, 429), ErrorBody)


class Reports(View):
    permission_classes = (MayReport,)

    @extend_schema(
        operation_id="reports_list",
        summary="Reports, the newest first",
        responses={200: ReportList, **_ERRORS},
    )
    def get(self, request: Request) -> Response:
        return Response({"reports": ReportAnswer(Report.objects.all()[:MOST_LISTED], many=True).data})

    @extend_schema(
        summary="Ask for a report",
        description="It is made by the worker: follow its `state` until it is `done` or `failed`.",
        request=ReportOrder,
        responses={202: ReportAnswer, 400: ErrorBody, **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        form = ReportOrder(data=request.data)
        form.is_valid(raise_exception=True)
        report = queue.ask(
            queue.Order(**form.validated_data), actor=self.actor(request), ip=client_ip(request._request)
        )
        return Response(ReportAnswer(report).data, status=202)


class ReportDetail(View):
    permission_classes = (MayReport,)

    @extend_schema(summary="One report", responses={200: ReportAnswer, **_ERRORS})
    def get(self, request: Request, report_id: str) -> Response:
        return Response(ReportAnswer(queue.find(report_id)).data)

    @extend_schema(
        summary="Delete a report", description="Also one that is not made yet.", responses={204: None, **_ERRORS}
    )
    def delete(self, request: Request, report_id: str) -> Response:
        queue.delete(report_id, actor=self.actor(request), ip=client_ip(request._request))
        return Response(status=204)


class ReportLinks(View):
    permission_classes = (MayReport,)

    @extend_schema(operation_id="report_links_list", summary="Links to a report", responses={200: LinkList, **_ERRORS})
    def get(self, request: Request, report_id: str) -> Response:
        return Response({"links": LinkAnswer(queue.find(report_id).links.all(), many=True).data})

    @extend_schema(
        summary="Share a report by a link",
        description="It works without signing in until it expires. Its `url` is in this answer only.",
        request=LinkOrder,
        responses={201: LinkAnswer, 400: ErrorBody, **_ERRORS},
    )
    def post(self, request: Request, report_id: str) -> Response:
        form = LinkOrder(data=request.data)
        form.is_valid(raise_exception=True)
        link, secret = links.make(
            report_id, form.validated_data["days"], actor=self.actor(request), ip=client_ip(request._request)
        )
        url = request.build_absolute_uri(f"/shared/{secret}")
        return Response({**LinkAnswer(link).data, "url": url}, status=201)


class ReportLink(View):
    permission_classes = (MayReport,)

    @extend_schema(summary="Withdraw a link", responses={204: None, **_ERRORS})
    def delete(self, request: Request, report_id: str, link_id: str) -> Response:
        links.revoke(report_id, link_id, actor=self.actor(request), ip=client_ip(request._request))
        return Response(status=204)


class ReportFile(View):
    permission_classes = (MayReport,)

    @extend_schema(
        summary="A file of a finished report",
        description="`form` is html, pdf, or json: the findings for machines to read.",
        responses={
            (200, "text/html"): OpenApiTypes.STR,
            (200, "application/pdf"): OpenApiTypes.BINARY,
            (200, "application/json"): OpenApiTypes.OBJECT,
            **_ERRORS,
        },
    )
    def get(self, request: Request, report_id: str, form: str) -> HttpResponse:
        report, content = queue.read(report_id, form, actor=self.actor(request), ip=client_ip(request._request))
        response = HttpResponse(content, content_type=queue.FORMS[form])
        response["Content-Disposition"] = f'attachment; filename="{queue.file_name(report, form)}"'
        return response
