"""POST performance/upload: one batch of one machine by its key, or a file of many machines by an Admin."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import FileUploadParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import bulk, retention, store
from analysis.models import Batch
from api import bodies
from api.authentication import Machine
from api.permissions import MayUpload
from api.schemas import ErrorBody, UploadForm, UploadResult
from api.views import View
from collectors import events
from collectors.models import Collector
from core.batch import Decoded, Window, decode
from core.catalogue import DATASETS
from core.errors import ServiceError
from core.limits import client_ip, limit

_BATCH_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Upload(View):
    permission_classes = (MayUpload,)
    parser_classes = (MultiPartParser, FileUploadParser)

    @extend_schema(
        summary="Upload a batch of samples",
        description=(
            "CSV files of one machine, one a dataset, plain or gzip. All or nothing, stored exactly once. "
            "An Admin sends one file with rows of many machines, each with its `machine_id`, known by its content."
        ),
        request={"multipart/form-data": UploadForm, "text/csv": str},
        parameters=[
            OpenApiParameter("Batch-Id", str, OpenApiParameter.HEADER, description="Makes a repeat recognisable."),
            OpenApiParameter("dataset", str, description="Of a raw body.", enum=list(DATASETS), default="system"),
            OpenApiParameter("machine_id", str, description="As the form field; must be the key's machine."),
            OpenApiParameter("register", bool, description="Of an Admin: register the machines not known."),
            OpenApiParameter("on_error", str, description="`skip` stores the good rows.", enum=["refuse", "skip"]),
        ],
        responses={
            201: UploadResult,
            200: OpenApiResponse(UploadResult, description="The batch was stored before; its first result."),
            **dict.fromkeys((400, 401, 403, 404, 409, 413, 415, 429, 503), ErrorBody),
        },
    )
    def post(self, request: Request) -> Response:
        if not isinstance(request.user, Machine):
            return self._load(request)
        collector = request.user.collector
        limit(request._request, "uploads", str(collector.pk) + _tenant(request), settings.UPLOAD_RATE, fail_open=True)
        upload, skipped = _read(request._request, collector)
        stored = store.store(upload)
        return Response(_result(stored.batch, skipped), status=200 if stored.repeated else 201)

    def _load(self, request: Request) -> Response:
        """Of an Admin."""
        http = request._request
        limit(http, "loads", f"{self.actor(request)}{_tenant(request)}", settings.UPLOAD_RATE, fail_open=True)
        window = retention.window(timezone.now(), http.tenant.retention_days)  # type: ignore[attr-defined]
        register = http.GET.get("register") == "1"
        with bodies.spooled(http) as (name, file):
            order = bulk.Order(DATASETS[name], window, register, self.actor(request), client_ip(http))
            loaded = bulk.load(file, order)
        batch = Batch(
            batch_id=loaded.batch_id, records=loaded.records, duplicates=loaded.duplicates, warnings=loaded.warnings,
            received_at=loaded.received_at,
        )  # fmt: skip
        return Response(_result(batch, []), status=200 if loaded.repeated else 201)


def _tenant(request: Request) -> str:
    return f"@{request._request.tenant.schema_name}"  # type: ignore[attr-defined]


def _read(request: HttpRequest, collector: Collector) -> tuple[store.Upload, list[dict[str, object]]]:
    """The validated batch, and the rows left out with `on_error=skip`."""
    files = bodies.read(request)
    _check_claim(request.POST.get("machine_id") or request.GET.get("machine_id"), collector)
    window = retention.window(timezone.now(), request.tenant.retention_days)  # type: ignore[attr-defined]
    skip = request.GET.get("on_error") == "skip"
    decoded = {name: _decode(name, data, window, skip, collector) for name, data in files.items()}
    digest = store.digest(files.items())
    notes = events.parse(request.POST.get("inventory", ""), request.POST.get("events", ""), timezone.now())
    upload = store.Upload(
        collector=collector,
        batch_id=_batch_id(request, digest),
        digest=digest,
        rows=[store.rows_of(file.table, collector.pk) for file in decoded.values()],
        window=window,
        warnings=[*_warnings(decoded), *notes.warnings],
        ip=client_ip(request),
        notes=notes,
    )
    problems = [{"dataset": name, **problem.__dict__} for name, file in decoded.items() for problem in file.problems]
    return upload, problems


def _decode(name: str, data: bytes, window: Window, skip: bool, collector: Collector) -> Decoded:
    decoded = decode(DATASETS[name], data, window=window, skip_bad=skip)
    for machine_id in set(decoded.table.columns.get("machine_id", ())):
        _check_claim(machine_id, collector)
    return decoded


def _check_claim(machine_id: str | None, collector: Collector) -> None:
    if machine_id and machine_id != collector.machine_id:
        raise ServiceError("AUTH_004", f"The key belongs to {collector.machine_id}, not to {machine_id[:128]!r}.")


def _batch_id(request: HttpRequest, digest: str) -> str:
    batch_id = request.headers.get("Batch-Id", digest)
    if not _BATCH_ID.fullmatch(batch_id):
        raise ServiceError("REQUEST_003", "A Batch-Id has 1 to 64 letters, digits and . _ -")
    return batch_id


def _warnings(decoded: dict[str, Decoded]) -> list[str]:
    """What was missing or ignored, with the dataset's name where there is more than one."""
    several = len(decoded) > 1
    return [f"{name}: {line}" if several else line for name, file in decoded.items() for line in _lines(file)]


def _lines(decoded: Decoded) -> list[str]:
    skipped = [f"Rows left out: {decoded.skipped}"] if decoded.skipped else []
    return skipped + decoded.warnings


def _result(batch: Batch, skipped: list[dict[str, object]]) -> dict[str, object]:
    answer: dict[str, object] = {
        "status": "success",
        "message": f"{batch.records} records received, {batch.records - batch.duplicates} stored.",
        "records_processed": batch.records,
        "duplicates": batch.duplicates,
        "warnings": batch.warnings,
        "batch_id": batch.batch_id,
        "timestamp": batch.received_at.isoformat(),
    }
    return {**answer, "skipped": skipped} if skipped else answer
