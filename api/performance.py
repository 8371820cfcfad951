"""GET performance/series and performance/export."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit
from analysis import export, retention, sampled, series
from analysis.export_parquet import parquet
from api.permissions import IsAnalyst, IsPerson
from api.schemas import ErrorBody, SeriesAnswer, SeriesQuery
from api.schemas_charts import CoresAnswer, CoresQuery, ProcessesAnswer, ProcessesQuery
from api.views import View
from collectors import event_export
from collectors.models import Collector
from core.batch import format_timestamp, parse_timestamp
from core.catalogue import DATASETS, Dataset
from core.errors import ServiceError
from core.limits import client_ip

FORMATS = {
    "csv": (export.csv, "text/csv; charset=utf-8"),
    "json": (export.json, "application/json"),
    "parquet": (parquet, "application/vnd.apache.parquet"),
}


class Series(View):
    permission_classes = (IsPerson,)

    @extend_schema(
        summary="Downsampled columns for charts",
        parameters=[SeriesQuery],
        responses={200: SeriesAnswer, **dict.fromkeys((400, 401, 404, 429), ErrorBody)},
    )
    def get(self, request: Request) -> Response:
        query = SeriesQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        dataset = DATASETS[asked["dataset"]]
        collector = _machines([asked["machine_id"]])[0]
        metrics = [name for name in _metrics(dataset, asked["metrics"]) if dataset.metric(name).is_number]
        now = timezone.now()
        kept = retention.cutoff(now, request._request.tenant.retention_days)  # type: ignore[attr-defined]
        reading = series.Request(collector.pk, dataset, metrics, asked["start"], asked["end"], asked["points"], kept)
        return Response(_answer(collector, series.read(reading, now)))


def _answer(collector: Collector, found: series.Series) -> dict[str, object]:
    return {
        "machine_id": collector.machine_id,
        "dataset": found.request.dataset.name,
        "start": found.request.start,
        "end": found.request.end,
        "interval_s": found.interval_s,
        "step_s": found.step_s,
        "source": found.source,
        "samples": found.samples,
        "coverage": found.coverage,
        "gaps": found.gaps,
        "series": [columns.__dict__ for columns in found.columns],
    }


class Cores(View):
    permission_classes = (IsPerson,)

    @extend_schema(
        summary="Busy percent of each core over time",
        description="For a heat map. From the samples themselves, so it ends where these are no longer kept.",
        parameters=[CoresQuery],
        responses={200: CoresAnswer, **dict.fromkeys((400, 401, 404, 429), ErrorBody)},
    )
    def get(self, request: Request) -> Response:
        machine_id, span = _span(CoresQuery(data=request.query_params))
        return Response({"machine_id": machine_id, **sampled.cores(span).__dict__})


class Processes(View):
    permission_classes = (IsPerson,)

    @extend_schema(
        summary="Top processes at instants",
        description="The newest sample with processes in each of `points` steps; samples are given whole.",
        parameters=[ProcessesQuery],
        responses={200: ProcessesAnswer, **dict.fromkeys((400, 401, 404, 429), ErrorBody)},
    )
    def get(self, request: Request) -> Response:
        machine_id, span = _span(ProcessesQuery(data=request.query_params))
        return Response({"machine_id": machine_id, "instants": sampled.processes(span)})


def _span(query: CoresQuery | ProcessesQuery) -> tuple[str, sampled.Span]:
    query.is_valid(raise_exception=True)
    asked = query.validated_data
    collector = _machines([asked["machine_id"]])[0]
    return collector.machine_id, sampled.Span(collector.pk, asked["start"], asked["end"], asked["points"])


class Export(View):
    permission_classes = (IsAnalyst,)

    @extend_schema(
        summary="Export samples",
        parameters=[
            OpenApiParameter("start_date", str, required=True, description="YYYY-MM-DD, or an instant (RFC 3339)."),
            OpenApiParameter("end_date", str, required=True, description="YYYY-MM-DD inclusive, or an instant (not)."),
            OpenApiParameter("machine_id", str, many=True, description="Repeatable; all machines without it."),
            OpenApiParameter("metrics", str, description="Names or groups, comma-separated; all without it."),
            OpenApiParameter("dataset", str, enum=list(DATASETS), default="system"),
            OpenApiParameter("format", str, enum=list(FORMATS), default="csv"),
        ],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/vnd.apache.parquet"): OpenApiTypes.BINARY,
            **dict.fromkeys((400, 401, 403, 404, 429), ErrorBody),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        name = request.query_params.get("format", "csv")
        if name not in FORMATS:
            raise ServiceError("EXPORT_003", f"There is no format {name[:80]!r}; known: {', '.join(FORMATS)}.")
        selection = _selection(request)
        write, content_type = FORMATS[name]
        audit.record(
            "export",
            user=self.actor(request),
            ip=client_ip(request._request),
            start=format_timestamp(selection.start),
            end=format_timestamp(selection.end),
            dataset=selection.dataset.name,
            machines=[machine.machine_id for machine in selection.machines],
        )
        response = StreamingHttpResponse(write(selection), content_type=content_type)
        response["Content-Disposition"] = f'attachment; filename="{_file_name(selection, name)}"'
        return response


class MachineEvents(View):
    permission_classes = (IsAnalyst,)

    @extend_schema(
        summary="Export why there are gaps",
        description=(
            "What the agents told, as CSV (`machine_id,kind,since,until,detail`), of the events that touch the period:"
            " beside an export, for reports. As JSON of one machine: `/collectors/{machine_id}/events`."
        ),
        parameters=[
            OpenApiParameter("start_date", str, required=True, description="YYYY-MM-DD, or an instant (RFC 3339)."),
            OpenApiParameter("end_date", str, required=True, description="YYYY-MM-DD inclusive, or an instant (not)."),
            OpenApiParameter("machine_id", str, many=True, description="Repeatable; all machines without it."),
        ],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            **dict.fromkeys((400, 401, 403, 404, 429), ErrorBody),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        params = request.query_params
        start, end = _range(params.get("start_date", ""), params.get("end_date", ""))
        found = event_export.told(_machines(params.getlist("machine_id")), start, end)
        response = HttpResponse(event_export.as_csv(found), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="perf_events_{start:%Y%m%d}_{end:%Y%m%d}.csv"'
        return response


def _selection(request: Request) -> export.Selection:
    params = request.query_params
    start, end = _range(params.get("start_date", ""), params.get("end_date", ""))
    name = params.get("dataset", "system")
    if name not in DATASETS:
        raise ServiceError("EXPORT_003", f"There is no dataset {name[:80]!r}; known: {', '.join(DATASETS)}.")
    metrics = _metrics(DATASETS[name], params.get("metrics", ""))
    http: HttpRequest = request._request
    schema_name = http.tenant.schema_name  # type: ignore[attr-defined]
    return export.Selection(schema_name, DATASETS[name], metrics, _machines(params.getlist("machine_id")), start, end)


def _file_name(selection: export.Selection, suffix: str) -> str:
    one = f"{selection.machines[0].machine_id}_" if len(selection.machines) == 1 else ""
    safe = one.replace(":", "-")
    return f"perf_{safe}{selection.dataset.name}_{selection.start:%Y%m%d}_{selection.end:%Y%m%d}.{suffix}"


def _metrics(dataset: Dataset, text: str) -> list[str]:
    try:
        return export.choose_metrics(dataset, [word.strip() for word in text.split(",") if word.strip()])
    except KeyError as error:
        raise ServiceError("EXPORT_003", f"The dataset {dataset.name} has no metric or group {error}.") from None


def _machines(machine_ids: list[str]) -> list[Collector]:
    if not machine_ids:
        return list(Collector.objects.all())
    found = {collector.machine_id: collector for collector in Collector.objects.filter(machine_id__in=machine_ids)}
    unknown = [machine_id for machine_id in machine_ids if machine_id not in found]
    if unknown:
        raise ServiceError("EXPORT_002", f"There is no machine {unknown[0][:128]!r}.")
    return [found[machine_id] for machine_id in dict.fromkeys(machine_ids)]


def _range(start_text: str, end_text: str) -> tuple[datetime, datetime]:
    """Half-open; a day as the end is included whole."""
    start, end = _instant(start_text, "start_date"), _instant(end_text, "end_date", last=True)
    if start >= end:
        raise ServiceError("EXPORT_001", "start_date must be before end_date.")
    return start, end


def _instant(text: str, name: str, *, last: bool = False) -> datetime:
    try:
        if len(text) == 10 and text.isascii():
            day = datetime.combine(date.fromisoformat(text), time(), UTC)
            return day + timedelta(days=1) if last else day
        return parse_timestamp(text.replace(" ", "+"))  # a + in a query string arrives as a space
    except (ValueError, OverflowError):
        raise ServiceError("EXPORT_001", f"{name} must be YYYY-MM-DD or an RFC 3339 instant with offset.") from None
