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
    moment = timezone.now()
    AuditEvent.objects.create(
        timestamp=moment, event=event, user=user, machine_id=machine_id, records=records, ip=ip, status=status,
        detail=detail,
    )  # fmt: skip
    line = {
        "timestamp": moment.isoformat(),
        "event": event,
        "user": user,
        "tenant": current_schema(),
        "machine_id": machine_id,
        "records": records,
        "ip": ip,
        "status": status,
    }
    transaction.on_commit(lambda: logger.info("%s", json.dumps(line)))
