"""The upload ledger. The sample tables have no models: the catalogue declares them (`analysis.tables`)."""

from __future__ import annotations

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

    def __str__(self) -> str:
        return self.batch_id
