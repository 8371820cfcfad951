"""What people must be told, handed over exactly once to what delivers it."""

from __future__ import annotations

from datetime import datetime

from alerts.models import Message


def take(now: datetime, limit: int = 50) -> list[Message]:
    """Messages that are due, oldest first, taken for the caller; in the caller's transaction.

    The caller writes down in the same transaction where each must go, so that a crash neither loses nor doubles one.
    Another process that takes at the same time gets others.
    """
    due = Message.objects.select_for_update(skip_locked=True).filter(taken_at__isnull=True, due_at__lte=now)
    messages = list(due.order_by("due_at", "id")[:limit])
    Message.objects.filter(pk__in=[message.pk for message in messages]).update(taken_at=now)
    for message in messages:
        message.taken_at = now
    return messages
