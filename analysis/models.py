"""The upload ledger. The sample tables have no models: the catalogue declares them (`analysis.tables`)."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from collectors.models import Collector


class Batch(models.Model):
    """One stored upload: what makes a repeat harmless. `records` counts rows of all datasets, duplicates included."""

    collector = models.ForeignKey(Collector, on_delete=models.CASCADE)
    batch_id = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    records = models.PositiveIntegerField()
    duplicates = models.PositiveIntegerField(default=0)
    warnings = models.JSONField(default=list)
    received_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collector", "batch_id"), name="analysis_batch_once"),)
        indexes = (BrinIndex(fields=("received_at",), name="analysis_batch_received", autosummarize=True),)

    def __str__(self) -> str:
        return self.batch_id


class AnnotationKind(models.TextChoices):
    DEPLOY = "deploy", "Deploy"
    CHANGE = "change", "Change"
    INCIDENT = "incident", "Incident"
    NOTE = "note", "Note"


class Annotation(models.Model):
    """What somebody says happened at `at` (until `until`, where it lasted); on all machines without `collector`."""

    public_id = models.CharField(max_length=16, unique=True)
    collector = models.ForeignKey(Collector, null=True, on_delete=models.CASCADE)
    kind = models.CharField(max_length=16, choices=AnnotationKind)
    text = models.CharField(max_length=300)
    at = models.DateTimeField(db_index=True)
    until = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.text
