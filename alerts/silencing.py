"""What people do with silences. Each is one transaction and one line of the audit log."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts import audit
from alerts import silences
from alerts.models import Silence


def save_silence(silence: Silence, *, actor: str, ip: str | None) -> None:
    """A new one; ValidationError, by field, when it makes no sense."""
    wrong = silences.problem(silence)
    if wrong is not None:
        field, sentence = wrong
        raise ValidationError({field: [sentence]})
    silence.created_by, silence.created_at = actor, timezone.now()
    with transaction.atomic():
        silence.save()
        audit.record("silence.made", user=actor, ip=ip, silence=silence.name)


def end_silence(silence: Silence, *, actor: str, ip: str | None) -> None:
    """From now on; one that has not begun yet is deleted."""
    now = timezone.now()
    with transaction.atomic():
        audit.record("silence.ended", user=actor, ip=ip, silence=silence.name)
        if silence.starts_at >= now:
            silence.delete()
            return
        silence.ends_at = min(silence.ends_at or now, now)
        silence.save(update_fields=("ends_at",))
