"""What is kept of alerts that are over."""

from __future__ import annotations

from datetime import datetime, timedelta

from alerts.models import Alert, Message, State

NEVER_FIRED_KEPT = timedelta(days=7)
MESSAGES_KEPT = timedelta(days=90)


def trim(now: datetime, kept: timedelta) -> int:
    """Forget alerts that ended longer ago than `kept`, pending ones that never fired and messages sooner."""
    ended = Alert.objects.filter(state=State.RESOLVED)
    old, _ = ended.filter(resolved_at__lt=now - kept).delete()
    passed, _ = ended.filter(fired_at__isnull=True, resolved_at__lt=now - NEVER_FIRED_KEPT).delete()
    sent, _ = Message.objects.filter(taken_at__lt=now - MESSAGES_KEPT).delete()
    return old + passed + sent
