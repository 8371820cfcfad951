"""The reports of the current tenant: asking for one, taking one up, ending it, reading it, deleting it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import audit
from collectors.models import Collector
from core.errors import ServiceError
from reports.jobs.models import Report, ReportFile, State

FORMS: Mapping[str, str] = {"html": "text/html; charset=utf-8", "pdf": "application/pdf", "json": "application/json"}
"""Form of a file -> its content type."""
LEASE = timedelta(seconds=60)
ATTEMPTS = 3
MOST_DAYS = 92
MOST_WAITING = 20


@dataclass(frozen=True)
class Order:
    """What somebody asks for. machine_ids: empty for all. time_zone: an IANA name."""

    title: str
    machine_ids: Sequence[str]
    start: datetime
    end: datetime
    time_zone: str = "UTC"


def ask(order: Order, *, actor: str, ip: str | None) -> Report:
    """Queue it. EXPORT_001 for a bad period, EXPORT_002 for an unknown machine, REQUEST_003 for what is too large."""
    _check(order)
    with transaction.atomic():
        report = Report.objects.create(
            public_id=secrets.token_hex(8), title=order.title or "Performance report",
            machine_ids=list(dict.fromkeys(order.machine_ids)), start=order.start, end=order.end,
            time_zone=order.time_zone, created_by=actor,
        )  # fmt: skip
        _tell("report.asked", report, actor, ip)
    return report


def _check(order: Order) -> None:
    if order.start >= order.end:
        raise ServiceError("EXPORT_001", "The period of a report must start before it ends.")
    days = (order.end - order.start) / timedelta(days=1)
    if days > MOST_DAYS:
        raise ServiceError("EXPORT_001", f"A report covers {MOST_DAYS} days at most; this one is of {days:.0f}.")
    known = set(Collector.objects.values_list("machine_id", flat=True))
    unknown = [machine_id for machine_id in order.machine_ids if machine_id not in known]
    if unknown:
        raise ServiceError("EXPORT_002", f"There is no machine {unknown[0][:128]!r}.")
    check_size(len(set(order.machine_ids)) or len(known), days)
    try:
        ZoneInfo(order.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ServiceError("REQUEST_003", f"There is no time zone {order.time_zone[:64]!r}.") from None
    if Report.objects.filter(state__in=(State.QUEUED, State.RUNNING)).count() >= MOST_WAITING:
        raise ServiceError("RATE_001", f"{MOST_WAITING} reports are waiting already; ask again later.", retry_after=60)


def check_size(machines: int, days: float) -> None:
    """REQUEST_003 for more than one report can hold."""
    if machines * days > settings.REPORT_MACHINE_DAYS:
        raise ServiceError(
            "REQUEST_003",
            f"{machines} machines over {days:.0f} days are more than one report can hold"
            f" ({settings.REPORT_MACHINE_DAYS:,} machines × days): choose fewer machines or a shorter period.",
        )


def take(now: datetime) -> Report | None:
    """The oldest report that waits, or that a worker which is gone has left; now the caller's, for LEASE."""
    due = Q(state=State.QUEUED) | Q(state=State.RUNNING, lease_until__lt=now)
    with transaction.atomic():
        waiting = Report.objects.select_for_update(skip_locked=True).filter(due)
        for report in waiting.order_by("created_at", "id"):
            if report.attempts >= ATTEMPTS:
                fail(report, f"It was begun {ATTEMPTS} times, and its worker ended each time.")
                continue
            report.state, report.attempts, report.lease_until = State.RUNNING, report.attempts + 1, now + LEASE
            report.progress = "Begun"
            report.save(update_fields=["state", "attempts", "lease_until", "progress"])
            return report
    return None


def renew(report: Report, progress: str) -> bool:
    """Keep it for another LEASE; False when it is no longer the caller's: deleted, or taken up by another worker."""
    mine = Report.objects.filter(pk=report.pk, state=State.RUNNING, attempts=report.attempts)
    return mine.update(lease_until=timezone.now() + LEASE, progress=progress) == 1


def give_back(report: Report) -> None:
    """It waits again, and this attempt does not count: the worker was asked to stop."""
    mine = Report.objects.filter(pk=report.pk, state=State.RUNNING, attempts=report.attempts)
    mine.update(state=State.QUEUED, lease_until=None, attempts=report.attempts - 1, progress="")


def finish(report: Report, files: Mapping[str, bytes]) -> bool:
    """Store what was made, once; False when the report is no longer the caller's."""
    with transaction.atomic():
        mine = Report.objects.filter(pk=report.pk, state=State.RUNNING, attempts=report.attempts)
        if not mine.update(state=State.DONE, progress="", lease_until=None, finished_at=timezone.now()):
            return False
        ReportFile.objects.bulk_create(
            ReportFile(report=report, form=form, content=content) for form, content in files.items()
        )
        _tell("report.made", report, report.created_by, None)
    return True


def fail(report: Report, reason: str) -> None:
    with transaction.atomic():
        mine = Report.objects.filter(pk=report.pk, state=State.RUNNING, attempts=report.attempts)
        if mine.update(state=State.FAILED, progress=reason[:500], lease_until=None, finished_at=timezone.now()):
            _tell("report.made", report, report.created_by, None, status="failed")


def find(public_id: str) -> Report:
    """REQUEST_001 when there is none."""
    report = Report.objects.filter(public_id=public_id).first()
    if report is None:
        raise ServiceError("REQUEST_001", f"There is no report {public_id[:32]!r} here.")
    return report


def read(public_id: str, form: str, *, actor: str, ip: str | None) -> tuple[Report, bytes]:
    """A finished report's file; REQUEST_001 when there is none, or none yet."""
    report = find(public_id)
    file = ReportFile.objects.filter(report=report, form=form).first()
    if file is None:
        raise ServiceError("REQUEST_001", f"This report has no file {form[:16]!r}: it is {report.state}.")
    _tell("report.read", report, actor, ip)
    return report, bytes(file.content)


def file_name(report: Report, form: str) -> str:
    return f"report_{report.start:%Y%m%d}_{report.end:%Y%m%d}_{report.public_id[:6]}.{form}"


def delete(public_id: str, *, actor: str, ip: str | None) -> None:
    report = find(public_id)
    with transaction.atomic():
        _tell("report.deleted", report, actor, ip)
        report.delete()


def trim(before: datetime) -> int:
    """Delete what ended before."""
    _, by_model = Report.objects.filter(finished_at__lt=before).delete()
    return by_model.get(Report._meta.label, 0)


def _tell(event: str, report: Report, actor: str, ip: str | None, status: str = "success") -> None:
    audit.record(
        event, user=actor, ip=ip, status=status, report=report.public_id, title=report.title,
        machines=report.machine_ids, start=report.start.isoformat(), end=report.end.isoformat(),
    )  # fmt: skip
