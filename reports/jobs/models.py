"""Reports and their files, schedules with the occurrences and mails they lead to, and links that expire."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone

from reports.jobs.calendar import Monthly, Timing, Weekly


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


class Every(models.TextChoices):
    WEEK = "week", "Every week"
    MONTH = "month", "Every month"


class Schedule(models.Model):
    """A report that is made again and again of the week or month before, in the tenant's time zone, and mailed.

    day: 0 (Monday) to 6 of a week, 1 to 31 of a month. tag: the machines that have it then; else machine_ids, empty
    for all. armed_at: what was due before is not made up for. recipients: addresses.
    """

    public_id = models.CharField(max_length=16, unique=True)
    title = models.CharField(max_length=120)
    every = models.CharField(max_length=5, choices=Every.choices)
    day = models.PositiveSmallIntegerField()
    hour = models.PositiveSmallIntegerField()
    machine_ids = models.JSONField(default=list)
    tag = models.CharField(max_length=64, blank=True)
    recipients = models.JSONField(default=list)
    paused = models.BooleanField(default=False)
    armed_at = models.DateTimeField()
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("title", "id")

    def __str__(self) -> str:
        return f"{self.public_id} {self.every}"

    @property
    def timing(self) -> Timing:
        return Weekly(self.day, self.hour) if self.every == Every.WEEK else Monthly(self.day, self.hour)


class Occurrence(models.Model):
    """One time that a schedule was due: the row is what claims it, so that two workers make one report of it.

    covers: first day of its period. asked_by: who ran it by hand; empty for the schedule's own. problem: why there is
    no report of it.
    """

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="occurrences")
    covers = models.DateField()
    due_at = models.DateTimeField()
    asked_by = models.CharField(max_length=254, blank=True)
    report = models.ForeignKey(Report, on_delete=models.SET_NULL, null=True, related_name="occurrences")
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("-due_at", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=("schedule", "covers"), condition=models.Q(asked_by=""), name="one_occurrence_a_period"
            ),
        )

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.covers}"


class Posting(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


class Delivery(models.Model):
    """The mail of an occurrence to one address. try_at: not before; while a worker sends, the end of its lease."""

    occurrence = models.ForeignKey(Occurrence, on_delete=models.CASCADE, related_name="deliveries")
    address = models.CharField(max_length=254)
    state = models.CharField(max_length=7, choices=Posting.choices, default=Posting.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    try_at = models.DateTimeField(default=timezone.now)
    problem = models.CharField(max_length=300, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("occurrence", "address"), name="one_mail_an_address"),)

    def __str__(self) -> str:
        return f"{self.occurrence_id} {self.state}"


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
