"""Reports that were asked for, their files, and links that let others read them for a while."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone


class State(models.TextChoices):
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Being made"
    DONE = "done", "Ready"
    FAILED = "failed", "Failed"


class Report(models.Model):
    """machine_ids: empty for all machines. start ≤ samples < end. progress: what is done now, or why it failed.

    lease_until: a running report whose worker has not renewed it by then is taken up by another one.
    """

    public_id = models.CharField(max_length=16, unique=True)
    title = models.CharField(max_length=120)
    machine_ids = models.JSONField(default=list)
    start = models.DateTimeField()
    end = models.DateTimeField()
    time_zone = models.CharField(max_length=64, default="UTC")
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    progress = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.public_id} {self.state}"

    @property
    def is_ended(self) -> bool:
        return self.state in (State.DONE, State.FAILED)

    def overdue(self, now: datetime) -> bool:
        return self.state == State.RUNNING and self.lease_until is not None and self.lease_until < now


class ReportFile(models.Model):
    """form: html, pdf or json, as `reports.jobs.forms` lists them."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="files")
    form = models.CharField(max_length=8)
    content = models.BinaryField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("report", "form"), name="one_file_a_form"),)

    def __str__(self) -> str:
        return f"{self.report_id}.{self.form}"


class SharedLinkQuerySet(models.QuerySet["SharedLink"]):
    def live(self, now: datetime) -> SharedLinkQuerySet:
        return self.filter(revoked_at__isnull=True, expires_at__gt=now)


class SharedLink(models.Model):
    """Lets anybody who has its secret read one report until it expires. opened: how often a file was fetched."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="links")
    link_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    opened = models.PositiveIntegerField(default=0)
    last_opened_at = models.DateTimeField(null=True, blank=True)

    objects = SharedLinkQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.report_id}/{self.link_id}"

    def state(self, now: datetime) -> str:
        """live, expired or revoked."""
        if self.revoked_at:
            return "revoked"
        return "live" if now < self.expires_at else "expired"
