"""A machine's batch: read, validated, stored and answered; what `api.upload` and `api.middleware` share."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from analysis import retention, store
from api import bodies
from collectors import events
from collectors.models import Collector
from core.batch import Decoded, Window, decode
from core.catalogue import DATASETS
from core.errors import ServiceError
from core.limits import client_ip, limit

_BATCH_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def receive(request: HttpRequest, collector: Collector) -> tuple[int, dict[str, object]]:
    """HTTP status and body of the answer."""
    schema = request.tenant.schema_name  # type: ignore[attr-defined]  # a TenantRequest
    limit(request, "uploads", f"{collector.pk}@{schema}", settings.UPLOAD_RATE, fail_open=True)
    upload, skipped = _read(request, collector)
    stored = store.store(upload)
    return (200 if stored.repeated else 201), result(stored.batch, skipped)


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
    batch_id = str(request.META.get("HTTP_BATCH_ID", digest))
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


def result(batch: store.Receipt, skipped: list[dict[str, object]]) -> dict[str, object]:
    answer: dict[str, object] = {
        "status": "success",
        "message": f"{batch.records} records received, {batch.records - batch.duplicates} stored.",
        "records_processed": batch.records,
        "duplicates": batch.duplicates,
        "warnings": list(batch.warnings),
        "batch_id": batch.batch_id,
        "timestamp": batch.received_at.isoformat(),
    }
    return {**answer, "skipped": skipped} if skipped else answer
