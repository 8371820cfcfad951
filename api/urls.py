"""Addresses of the API: below /api/."""

from django.urls import path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from api import annotations, collectors, docs, performance, reports, schedules, upload
from core import errors

urlpatterns = [
    path("v1/performance/upload", upload.Upload.as_view(), name="upload"),
    path("v1/upload", upload.Upload.as_view(schema=None), name="upload-alias"),
    path("v1/performance/export", performance.Export.as_view(), name="export"),
    path("v1/performance/events", performance.MachineEvents.as_view(), name="events"),
    path("v1/performance/series", performance.Series.as_view(), name="series"),
    path("v1/performance/cores", performance.Cores.as_view(), name="cores"),
    path("v1/performance/processes", performance.Processes.as_view(), name="processes"),
    path("v1/annotations", annotations.Annotations.as_view(), name="annotations"),
    path("v1/annotations/<str:annotation_id>", annotations.AnnotationDetail.as_view(), name="annotation"),
    path("v1/collectors", collectors.Collectors.as_view(), name="collectors"),
    path("v1/collectors/register", collectors.Register.as_view(), name="register"),
    path("v1/collectors/<str:machine_id>", collectors.CollectorDetail.as_view(), name="collector"),
    path("v1/collectors/<str:machine_id>/events", collectors.Events.as_view(), name="machine-events"),
    path("v1/collectors/<str:machine_id>/rotate-key", collectors.RotateKey.as_view(), name="rotate-key"),
    path("v1/reports", reports.Reports.as_view(), name="reports"),
    path("v1/reports/schedules", schedules.Schedules.as_view(), name="schedules"),
    path("v1/reports/schedules/<str:schedule_id>", schedules.ScheduleDetail.as_view(), name="schedule"),
    path("v1/reports/schedules/<str:schedule_id>/run", schedules.ScheduleRun.as_view(), name="run-schedule"),
    path("v1/reports/<str:report_id>", reports.ReportDetail.as_view(), name="report"),
    path("v1/reports/<str:report_id>/links", reports.ReportLinks.as_view(), name="report-links"),
    path("v1/reports/<str:report_id>/links/<str:link_id>", reports.ReportLink.as_view(), name="report-link"),
    path("v1/reports/<str:report_id>/report.<str:form>", reports.ReportFile.as_view(), name="report-file"),
    path("v1/status", collectors.Status.as_view(), name="status"),
    path("v1/schema", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs", docs.Docs.as_view(), name="api-docs"),
    re_path(r"", errors.not_found),
]
