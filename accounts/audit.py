"""The audit log: a row in the tenant's schema, in the caller's transaction, and a JSON line on the application log."""

from __future__ import annotations

import json
import logging
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import AuditEvent
from core.tenancy import current_schema

logger = logging.getLogger("perfanalysis.audit")


def record(
    event: str,
    *,
    user: str = "",
    machine_id: str = "",
    records: int | None = None,
    ip: str | None = None,
    status: str = "success",
    **detail: Any,
) -> None:
    """Write one event; the log line appears only once the transaction is committed. Never pass keys or passwords."""
    written = AuditEvent.objects.create(
        timestamp=timezone.now(), event=event, user=user, machine_id=machine_id, records=records, ip=ip, status=status,
        detail=detail,
    )  # fmt: skip
    told = line(written, current_schema())
    transaction.on_commit(lambda: logger.info("%s", told))


def entry(event: AuditEvent, tenant: str) -> dict[str, Any]:
    """An event as it stands on the application log and in exports; `detail` is for the portal's own page only."""
    return {
        "timestamp": event.timestamp.isoformat(),
        "event": event.event,
        "user": event.user,
        "tenant": tenant,
        "machine_id": event.machine_id,
        "records": event.records,
        "ip": event.ip,
        "status": event.status,
    }


def line(event: AuditEvent, tenant: str) -> str:
    return json.dumps(entry(event, tenant))
