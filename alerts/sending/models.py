"""Channels, which say how people are told, and deliveries: what must go where, and how far that has come."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from alerts.models import Message, Severity, new_public_id


class ChannelKind(models.TextChoices):
    MAIL = "mail", "Mail"
    APPRISE = "apprise", "Service"
    WEBHOOK = "webhook", "Webhook"


class Channel(models.Model):
    """sealed_address, sealed_secret: `core.sealed`; hint: what of the address anybody may read.

    escalations_only: only what nobody acknowledged. quiet_from, quiet_until: in the tenant's time zone; what is not
    critical waits in between. failures: in a row; paused_until: nothing is tried before, because of them.
    """

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id)
    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=8, choices=ChannelKind.choices)
    sealed_address = models.TextField()
    sealed_secret = models.TextField(blank=True)
    hint = models.CharField(max_length=200, blank=True)
    least_severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.WARNING)
    escalations_only = models.BooleanField(default=False)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=254, blank=True)
    failures = models.PositiveIntegerField(default=0)
    paused_until = models.DateTimeField(null=True, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    last_failed_at = models.DateTimeField(null=True, blank=True)
    last_failure = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def works(self) -> bool:
        """Whether anything can be sent by it: it is on, and the portal has a mail server where it takes one."""
        return self.enabled and (self.kind != ChannelKind.MAIL or settings.SENDS_MAIL)

    @property
    def is_failing(self) -> bool:
        return self.failures > 0


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Given up"
    SKIPPED = "skipped", "Not needed"


class Delivery(models.Model):
    """One message to one channel. lease_until: a worker is at it; one that is gone has left it by then.

    attempts fences: only the worker of the newest attempt writes a result. held: it waited for quiet hours to end.
    reason: of the last failure, or why it was not needed.
    """

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    held = models.BooleanField(default=False)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("message", "channel"), name="one_delivery_a_channel"),)
        indexes = (
            models.Index(fields=("due_at",), condition=Q(state=DeliveryState.WAITING), name="deliveries_waiting"),
        )

    def __str__(self) -> str:
        return f"{self.message_id} to {self.channel_id} {self.state}"
