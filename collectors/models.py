"""Collector, its keys, and enrolment tokens."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

_MACHINE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def is_machine_id(value: str) -> bool:
    return _MACHINE_ID.fullmatch(value) is not None


def check_machine_id(value: str) -> None:
    if not is_machine_id(value):
        raise ValidationError(
            "A machine id has 1 to 128 letters, digits and . _ : - and starts with a letter or digit."
        )


MOST_TAGS, MAX_TAG = 32, 64


def clean_tags(tags: Iterable[str]) -> list[str]:
    """Each once, without spaces around it, in the order given; ValidationError for what is no tag or too many."""
    found = list(dict.fromkeys(tag.strip() for tag in tags if tag.strip()))
    if len(found) > MOST_TAGS:
        raise ValidationError(f"A machine has {MOST_TAGS} tags at most; these are {len(found)}.")
    for tag in found:
        if len(tag) > MAX_TAG or "," in tag or not tag.isprintable():
            raise ValidationError(f"A tag has 1 to {MAX_TAG} characters and no comma; {tag[:MAX_TAG]!r} is none.")
    return found


class Collector(models.Model):
    """A registered machine. `last_seen` is when its last batch was stored; `hostname` is what it calls itself."""

    machine_id = models.CharField(max_length=128, unique=True, validators=[check_machine_id])
    hostname = models.CharField(max_length=255, blank=True)
    ip_address = models.GenericIPAddressField(null=True, blank=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_seen = models.DateTimeField(null=True, blank=True)
    inventory = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ("machine_id",)

    def __str__(self) -> str:
        return self.machine_id

    def state(self, now: datetime) -> str:
        """never, live, late or silent, by how long ago the last batch came; `retired` when it may not upload."""
        if not self.active:
            return "retired"
        if self.last_seen is None:
            return "never"
        age = now - self.last_seen
        if age <= timedelta(seconds=settings.LATE_SECONDS):
            return "live"
        return "late" if age <= timedelta(seconds=settings.SILENT_SECONDS) else "silent"


class LiveKeyQuerySet(models.QuerySet["CollectorKey"]):
    def live(self, now: datetime) -> LiveKeyQuerySet:
        not_expired = models.Q(expires_at__isnull=True) | models.Q(expires_at__gt=now)
        return self.filter(not_expired, revoked_at__isnull=True, collector__active=True)


class CollectorKey(models.Model):
    """A key of a machine; two may be live during a rotation."""

    collector = models.ForeignKey(Collector, on_delete=models.CASCADE, related_name="keys")
    key_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = LiveKeyQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.collector_id}/{self.key_id}"


class EnrolmentToken(models.Model):
    """Lets its bearer register machines until it expires or is used up."""

    token_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    created_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    uses_left = models.PositiveIntegerField(default=1)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.token_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.expires_at <= self.created_at:
            raise ValidationError("An enrolment token must expire after it is made.")
        super().save(*args, **kwargs)


class MachineEvent(models.Model):
    """Something that happened on a machine between two samples, as its agent tells it: why there is a gap."""

    collector = models.ForeignKey(Collector, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=32)
    since = models.DateTimeField()
    until = models.DateTimeField()
    detail = models.CharField(max_length=500, blank=True)
    received_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("collector", "kind", "since", "detail"), name="one_row_an_event"),
        )

    def __str__(self) -> str:
        return f"{self.collector_id} {self.kind} {self.since:%Y-%m-%d %H:%M}"
