"""Mails of scheduled reports: which is due, claimed by one worker, tried again with growing pauses, at last given up.

At least once: a worker that dies between the mail server's yes and the row's makes the next one send it again, under
the same Message-ID, by which mail programs know a double.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import audit
from reports.jobs.models import Delivery, Posting, State

LEASE = timedelta(minutes=15)
"""Longer than a mail server that answers every command at the last moment (settings.EMAIL_TIMEOUT) takes."""
ATTEMPTS = 8
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)


def take(now: datetime) -> Delivery | None:
    """The oldest that is due and whose report has ended; the caller's for LEASE."""
    ended = Q(occurrence__report__state__in=(State.DONE, State.FAILED)) | Q(occurrence__report__isnull=True)
    waiting = Delivery.objects.filter(ended, state=Posting.WAITING, try_at__lte=now)
    with transaction.atomic():
        due = waiting.select_for_update(skip_locked=True, of=("self",)).order_by("try_at", "id").first()
        if due is None:
            return None
        due.attempts, due.try_at = due.attempts + 1, now + LEASE
        due.save(update_fields=["attempts", "try_at"])
    return Delivery.objects.select_related("occurrence__report", "occurrence__schedule").get(pk=due.pk)


def sent(delivery: Delivery) -> None:
    with transaction.atomic():
        if _mine(delivery, state=Posting.SENT, problem="", sent_at=timezone.now()):
            _tell(delivery, "success")


def put_off(delivery: Delivery, problem: str) -> None:
    """Try again after twice the pause; after ATTEMPTS, give up."""
    if delivery.attempts >= ATTEMPTS:
        give_up(delivery, problem)
        return
    pause = min(FIRST_PAUSE * 2 ** (delivery.attempts - 1), LONGEST_PAUSE)
    _mine(delivery, problem=problem[:300], try_at=timezone.now() + pause)


def give_up(delivery: Delivery, problem: str) -> None:
    with transaction.atomic():
        if _mine(delivery, state=Posting.FAILED, problem=problem[:300]):
            _tell(delivery, "failed")


def again(occurrence_id: int) -> int:
    """Those of an occurrence that were given up have all their tries again; how many."""
    failed = Delivery.objects.filter(occurrence_id=occurrence_id, state=Posting.FAILED)
    return failed.update(state=Posting.WAITING, attempts=0, try_at=timezone.now(), problem="")


def _mine(delivery: Delivery, **changed: object) -> bool:
    """False when another worker has taken it meanwhile."""
    own = Delivery.objects.filter(pk=delivery.pk, state=Posting.WAITING, attempts=delivery.attempts)
    return own.update(**changed) == 1


def _tell(delivery: Delivery, status: str) -> None:
    report = delivery.occurrence.report
    audit.record(
        "report.mailed", user=delivery.occurrence.schedule.created_by, status=status, to=delivery.address,
        report=report.public_id if report else "", schedule=delivery.occurrence.schedule.public_id,
    )  # fmt: skip
