"""Serializers: they validate what comes in, and describe what goes out in the OpenAPI schema."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from collectors.models import Collector, MachineEvent
from core.catalogue import DATASETS
from reports.jobs.models import Report


class ErrorBody(serializers.Serializer[Any]):
    status = serializers.CharField(default="error")
    error = serializers.CharField(help_text="A sentence: what was wrong, where, and what to do.")
    code = serializers.CharField()
    details = serializers.ListField(required=False)


class UploadForm(serializers.Serializer[Any]):
    file = serializers.FileField(required=False, help_text="The dataset `system`.")
    disks = serializers.FileField(required=False)
    interfaces = serializers.FileField(required=False)
    filesystems = serializers.FileField(required=False)
    processes = serializers.FileField(required=False)
    machine_id = serializers.CharField(required=False)
    inventory = serializers.CharField(required=False, help_text="A JSON object of at most 64 KB: what machine this is.")
    events = serializers.CharField(
        required=False, help_text="A JSON list of `{kind, since, until, detail}`: what happened between samples."
    )


class UploadResult(serializers.Serializer[Any]):
    status = serializers.CharField(default="success")
    message = serializers.CharField()
    records_processed = serializers.IntegerField(help_text="Rows of all datasets, duplicates included.")
    duplicates = serializers.IntegerField(help_text="Rows that were stored before.")
    warnings = serializers.ListField(child=serializers.CharField())
    batch_id = serializers.CharField()
    timestamp = serializers.DateTimeField()


class Registration(serializers.Serializer[Any]):
    machine_id = serializers.CharField(max_length=128)
    hostname = serializers.CharField(max_length=255, required=False, default="", allow_blank=True)


class KeyAnswer(serializers.Serializer[Any]):
    status = serializers.CharField(default="success")
    machine_id = serializers.CharField()
    api_key = serializers.CharField(help_text="Shown once.")


class Tags(serializers.Serializer[Any]):
    hostname = serializers.CharField(max_length=255, required=False, allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=64), max_length=32, required=False)


class CollectorAnswer(serializers.ModelSerializer[Collector]):
    state = serializers.SerializerMethodField()

    class Meta:
        model = Collector
        fields = (
            "machine_id", "hostname", "ip_address", "active", "state", "created_at", "last_seen", "inventory", "tags",
        )  # fmt: skip
        read_only_fields = fields

    def get_state(self, collector: Collector) -> str:
        return collector.state(self.context["now"])


class CollectorList(serializers.Serializer[Any]):
    collectors = CollectorAnswer(many=True)


class EventsQuery(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError("start must be before end")
        return attrs

    def period(self) -> tuple[datetime, datetime]:
        return self.validated_data["start"], self.validated_data["end"]


class EventAnswer(serializers.ModelSerializer[MachineEvent]):
    class Meta:
        model = MachineEvent
        fields = ("kind", "since", "until", "detail")


class EventsAnswer(serializers.Serializer[Any]):
    machine_id = serializers.CharField()
    events = EventAnswer(many=True)


class ReportOrder(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=120, default="", allow_blank=True)
    machine_ids = serializers.ListField(
        child=serializers.CharField(max_length=128), default=list, max_length=1000, help_text="All machines without it."
    )
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="Not included.")
    time_zone = serializers.CharField(max_length=64, default="UTC", help_text="IANA name, as Europe/Berlin.")


class ReportAnswer(serializers.ModelSerializer[Report]):
    id = serializers.CharField(source="public_id")
    progress = serializers.CharField(help_text="What is done now, or why it failed.")

    class Meta:
        model = Report
        fields = (
            "id", "title", "machine_ids", "start", "end", "time_zone", "state", "progress", "created_by", "created_at",
            "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class ReportList(serializers.Serializer[Any]):
    reports = ReportAnswer(many=True)


class SeriesQuery(serializers.Serializer[Any]):
    machine_id = serializers.CharField()
    dataset = serializers.ChoiceField(choices=list(DATASETS), default="system")
    metrics = serializers.CharField(default="", allow_blank=True, help_text="Names or groups, comma-separated.")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    points = serializers.IntegerField(min_value=10, max_value=5000, default=500)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["start"] >= attrs["end"]:
            raise serializers.ValidationError("start must be before end")
        return attrs


class SeriesColumns(serializers.Serializer[Any]):
    instance = serializers.CharField(allow_null=True)
    timestamps = serializers.ListField(child=serializers.IntegerField(), help_text="Milliseconds since 1970, UTC.")
    mean = serializers.DictField(child=serializers.ListField())
    minimum = serializers.DictField(child=serializers.ListField())
    maximum = serializers.DictField(child=serializers.ListField())
    p95 = serializers.DictField(
        child=serializers.ListField(),
        help_text="Of roll-ups only: the highest of the bucket's hourly 95th percentiles, each of raw samples.",
    )


class SeriesAnswer(serializers.Serializer[Any]):
    machine_id = serializers.CharField()
    dataset = serializers.CharField()
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    interval_s = serializers.FloatField(help_text="Distance of samples.")
    step_s = serializers.FloatField(allow_null=True, help_text="Width of a bucket; null: the samples themselves.")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field, not the attribute of DRF's fields
        ["raw", "rollup"], help_text="The samples themselves, or hourly roll-ups of them."
    )
    samples = serializers.IntegerField()
    coverage = serializers.FloatField(allow_null=True, help_text="Samples seen ÷ samples expected.")
    gaps = serializers.ListField(help_text="Pairs of instants.")
    series = SeriesColumns(many=True)


class StatusAnswer(serializers.Serializer[Any]):
    status = serializers.CharField(default="success")
    version = serializers.CharField()
    timestamp = serializers.DateTimeField()
    worker_seen = serializers.DateTimeField(allow_null=True, help_text="Last sign of life of a `manage.py work`.")
