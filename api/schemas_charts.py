"""Serializers of what a machine's page draws beside the series: notes, cores, processes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from analysis.models import AnnotationKind

MAX_AHEAD = timedelta(days=366)


class Spanning(serializers.Serializer[Any]):
    """start ≤ t < end."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError("start must be before end")
        return attrs


class AnnotationQuery(Spanning):
    machine_id = serializers.CharField(default="", allow_blank=True, help_text="All machines without it.")


class AnnotationOrder(serializers.Serializer[Any]):
    machine_id = serializers.CharField(default="", allow_blank=True, help_text="All machines without it.")
    kind = serializers.ChoiceField(choices=AnnotationKind.choices, default=AnnotationKind.NOTE)
    text = serializers.CharField(max_length=300, help_text="One line, as `web 2.4.1`.")
    at = serializers.DateTimeField(required=False, help_text="Now without it.")
    until = serializers.DateTimeField(required=False, allow_null=True, help_text="For what lasts.")

    def validate_text(self, text: str) -> str:
        return " ".join(text.split())

    def validate_at(self, at: datetime) -> datetime:
        if at > timezone.now() + MAX_AHEAD:
            raise serializers.ValidationError("at lies more than a year ahead")
        return at

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        at, until = attrs.get("at") or timezone.now(), attrs.get("until")
        if until is not None and until < at:
            raise serializers.ValidationError("until must not be before at")
        return attrs


class AnnotationAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="Empty for a reboot.")
    machine_id = serializers.CharField(help_text="Empty for all machines.")
    kind = serializers.CharField(help_text="deploy, change, incident, note, or reboot.")
    text = serializers.CharField()
    at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()


class AnnotationList(serializers.Serializer[Any]):
    annotations = AnnotationAnswer(many=True)


class CoresQuery(Spanning):
    machine_id = serializers.CharField()
    points = serializers.IntegerField(min_value=10, max_value=240, default=120)


class CoresAnswer(serializers.Serializer[Any]):
    machine_id = serializers.CharField()
    cores = serializers.IntegerField(help_text="0: no samples with cores in this period.")
    cores_per_row = serializers.IntegerField(help_text="More than 1: a row has the busiest of so many cores.")
    step_s = serializers.FloatField(help_text="Width of a cell.")
    samples_per_cell = serializers.IntegerField(
        help_text="A cell is the mean of so many samples at most, evenly picked."
    )
    timestamps = serializers.ListField(child=serializers.IntegerField(), help_text="Milliseconds since 1970, UTC.")
    busy = serializers.ListField(help_text="Percent busy: for each timestamp a list, a value a row.")


class ProcessesQuery(Spanning):
    machine_id = serializers.CharField()
    points = serializers.IntegerField(min_value=1, max_value=240, default=60)


class ProcessRow(serializers.Serializer[Any]):
    pid = serializers.IntegerField()
    name = serializers.CharField(allow_null=True)
    user = serializers.CharField(allow_null=True)
    cpu = serializers.FloatField(allow_null=True, help_text="Percent of one core.")
    rss_mb = serializers.FloatField(allow_null=True)


class Instant(serializers.Serializer[Any]):
    timestamp = serializers.IntegerField(help_text="Milliseconds since 1970, UTC.")
    processes = ProcessRow(many=True)


class ProcessesAnswer(serializers.Serializer[Any]):
    machine_id = serializers.CharField()
    instants = Instant(many=True)
