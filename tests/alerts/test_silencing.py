"""Silences: made with sense, ended at once, audited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.models import AuditEvent
from alerts import silencing
from alerts.models import Silence
from core.tenancy import schema_context
from tests.cast import Cast

ACTOR = "admin@alpha.example"


@pytest.fixture
def now(alpha: Cast) -> Iterator[datetime]:
    with schema_context(alpha.schema):
        yield timezone.now()


def made(starts_at: datetime, **more: object) -> Silence:
    silence = Silence(**{"name": "Backup", "starts_at": starts_at, "ends_at": starts_at + timedelta(hours=2), **more})
    silencing.save_silence(silence, actor=ACTOR, ip=None)
    return silence


def test_a_silence_says_who_made_it_and_is_audited(now: datetime) -> None:
    assert made(now).created_by == ACTOR
    assert AuditEvent.objects.filter(event="silence.made", user=ACTOR).count() == 1


def test_a_silence_without_sense_is_refused_at_its_field(now: datetime) -> None:
    with pytest.raises(ValidationError) as refused:
        made(now, ends_at=now - timedelta(hours=1))
    assert list(refused.value.message_dict) == ["ends_at"]
    assert not Silence.objects.exists()


def test_one_that_holds_is_over_at_once_when_it_is_ended(now: datetime) -> None:
    silence = made(now - timedelta(hours=1))
    silencing.end_silence(silence, actor=ACTOR, ip=None)
    ended = Silence.objects.get().ends_at
    assert ended is not None
    assert now <= ended <= timezone.now()
    assert AuditEvent.objects.filter(event="silence.ended").count() == 1


def test_one_that_has_not_begun_is_gone_when_it_is_ended(now: datetime) -> None:
    silencing.end_silence(made(now + timedelta(hours=1)), actor=ACTOR, ip=None)
    assert not Silence.objects.exists()


def test_ending_one_that_is_over_changes_nothing(now: datetime) -> None:
    silence = made(now - timedelta(hours=5))
    ended = silence.ends_at
    silencing.end_silence(silence, actor=ACTOR, ip=None)
    assert Silence.objects.get().ends_at == ended
