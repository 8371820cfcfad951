"""POST performance/upload: one batch of one machine by its key, or a file of many machines by an Admin."""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.parsers import FileUploadParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import bulk, retention, store
from api import bodies, machine_upload
from api.authentication import Machine, is_machine
from api.permissions import MayUpload
from api.schemas import ErrorBody, UploadForm, UploadResult
from api.views import View
from core.catalogue import DATASETS
from core.limits import client_ip, limit


class Upload(View):
    permission_classes = (MayUpload,)
    parser_classes = (MultiPartParser, FileUploadParser)

    def count(self, request: Request) -> None:
        """A machine has a limit of its own: hundreds may stand behind one address, or one relay."""
        if not is_machine(request):
            super().count(request)

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
        status, answer = machine_upload.receive(request._request, request.user.collector)
        return Response(answer, status=status)

    def _load(self, request: Request) -> Response:
        """Of an Admin."""
        http = request._request
        tenant = http.tenant  # type: ignore[attr-defined]
        limit(http, "loads", f"{self.actor(request)}@{tenant.schema_name}", settings.UPLOAD_RATE, fail_open=True)
        window = retention.window(timezone.now(), tenant.retention_days)
        register = http.GET.get("register") == "1"
        with bodies.spooled(http) as (name, file):
            order = bulk.Order(DATASETS[name], window, register, self.actor(request), client_ip(http))
            loaded = bulk.load(file, order)
        receipt = store.Receipt(loaded.batch_id, loaded.records, loaded.duplicates, loaded.warnings, loaded.received_at)
        return Response(machine_upload.result(receipt, []), status=200 if loaded.repeated else 201)
