"""Links to one report that work without signing in until they expire: a random secret, stored as a hash (trap 26)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts import audit
from core.errors import ServiceError
from core.keys import Secret, generate, parse
from reports.jobs import queue
from reports.jobs.models import Report, SharedLink, State

PREFIX = "pfr"
MOST_DAYS, MOST_LIVE = 90, 20
NO_LINK = "This link is unknown, was withdrawn, or has expired. Ask whoever sent it for another."


def make(public_id: str, days: int, *, actor: str, ip: str | None) -> tuple[SharedLink, Secret]:
    """The secret is in clear here for this once. REQUEST_001 for an unknown report, REQUEST_003 for one not made."""
    report = queue.find(public_id)
    if report.state != State.DONE:
        raise ServiceError("REQUEST_003", f"Only a report that is ready can be shared; it is {report.state}.")
    if not 1 <= days <= MOST_DAYS:
        raise ServiceError("REQUEST_003", f"A link works for 1 to {MOST_DAYS} days.")
    now, secret = timezone.now(), generate(PREFIX)
    with transaction.atomic():
        if report.links.filter(revoked_at__isnull=True, expires_at__gt=now).count() >= MOST_LIVE:
            raise ServiceError("REQUEST_003", f"This report has {MOST_LIVE} links already; withdraw one first.")
        link = SharedLink.objects.create(
            report=report, link_id=secret.public_id, digest=secret.digest, created_by=actor, created_at=now,
            expires_at=now + timedelta(days=days),
        )  # fmt: skip
        _tell("report.shared", link, actor, ip, until=link.expires_at.isoformat())
    return link, secret


def revoke(public_id: str, link_id: str, *, actor: str, ip: str | None) -> None:
    """At once, for good; harmless when it is done twice."""
    link = SharedLink.objects.select_related("report").filter(link_id=link_id, report__public_id=public_id).first()
    if link is None:
        raise ServiceError("REQUEST_001", f"There is no link {link_id[:32]!r} of this report.")
    with transaction.atomic():
        if SharedLink.objects.filter(pk=link.pk, revoked_at__isnull=True).update(revoked_at=timezone.now()):
            _tell("report.unshared", link, actor, ip)


def find(text: str) -> SharedLink:
    """The live link of that secret; REPORT_001 when there is none, at the same cost for every reason."""
    secret = parse(text, PREFIX)
    link = _live(secret.public_id, timezone.now()) if secret else None
    if not secret or not secret.matches(link.digest if link else None) or link is None:
        raise ServiceError("REPORT_001", NO_LINK)
    return link


def open_file(link: SharedLink, form: str, *, ip: str | None) -> tuple[Report, bytes]:
    """The file of its report; counted, and in the audit log."""
    file = link.report.files.filter(form=form).first()
    if file is None or form not in queue.FORMS:
        raise ServiceError("REQUEST_001", "There is no such file behind this link.")
    with transaction.atomic():
        SharedLink.objects.filter(pk=link.pk).update(opened=F("opened") + 1, last_opened_at=timezone.now())
        _tell("report.opened", link, f"link {link.link_id}", ip, form=form)
    return link.report, bytes(file.content)


def _live(link_id: str, now: datetime) -> SharedLink | None:
    return SharedLink.objects.live(now).select_related("report").filter(link_id=link_id).first()


def _tell(event: str, link: SharedLink, actor: str, ip: str | None, **detail: Any) -> None:
    report = link.report
    audit.record(event, user=actor, ip=ip, report=report.public_id, title=report.title, link=link.link_id, **detail)
