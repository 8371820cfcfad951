"""Serializers: they validate what comes in, and describe what goes out in the OpenAPI schema."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from collectors.models import MAX_TAG, MOST_TAGS, Collector, MachineEvent, clean_tags
from core.catalogue import DATASETS
from reports.jobs.models import Delivery, Every, Occurrence, Report, Schedule, SharedLink


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
    tags = serializers.ListField(
        child=serializers.CharField(max_length=MAX_TAG), max_length=MOST_TAGS, required=False, help_text="No commas."
    )

    def validate_tags(self, tags: list[str]) -> list[str]:
        return clean_tags(tags)


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


class ScheduleOrder(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=120, default="", allow_blank=True)
    every = serializers.ChoiceField(choices=Every.choices)
    day = serializers.IntegerField(
        min_value=0,
        max_value=31,
        help_text="Of a week 0 (Monday) to 6; of a month 1 to 31, or its last if it is shorter.",
    )
    hour = serializers.IntegerField(min_value=0, max_value=23, help_text="In the tenant's time zone.")
    machine_ids = serializers.ListField(
        child=serializers.CharField(max_length=128), default=list, max_length=1000, help_text="All machines without it."
    )
    tag = serializers.CharField(
        max_length=64, default="", allow_blank=True, help_text="Those that have it when the report is made."
    )
    recipients = serializers.ListField(
        child=serializers.EmailField(max_length=254), default=list, max_length=20, help_text="Addresses of mail."
    )


class ScheduleChange(ScheduleOrder):
    paused = serializers.BooleanField(required=False)


class MailAnswer(serializers.ModelSerializer[Delivery]):
    class Meta:
        model = Delivery
        fields = ("address", "state", "attempts", "problem", "sent_at")
        read_only_fields = fields


class OccurrenceAnswer(serializers.ModelSerializer[Occurrence]):
    report = serializers.CharField(source="report.public_id", default=None, allow_null=True)
    problem = serializers.CharField(help_text="Why there is no report of it.")
    mails = MailAnswer(source="deliveries", many=True)

    class Meta:
        model = Occurrence
        fields = ("due_at", "covers", "report", "problem", "mails")
        read_only_fields = fields


class ScheduleAnswer(serializers.ModelSerializer[Schedule]):
    id = serializers.CharField(source="public_id")
    latest = serializers.SerializerMethodField(help_text="The newest ten, the newest first.")

    class Meta:
        model = Schedule
        fields = (
            "id", "title", "every", "day", "hour", "machine_ids", "tag", "recipients", "paused", "created_by",
            "created_at", "latest",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(OccurrenceAnswer(many=True))
    def get_latest(self, schedule: Schedule) -> Any:
        newest = schedule.occurrences.select_related("report").prefetch_related("deliveries")[:10]
        return OccurrenceAnswer(newest, many=True).data


class ScheduleList(serializers.Serializer[Any]):
    schedules = ScheduleAnswer(many=True)


class LinkOrder(serializers.Serializer[Any]):
    days = serializers.IntegerField(min_value=1, max_value=90, default=7)


class LinkAnswer(serializers.ModelSerializer[SharedLink]):
    id = serializers.CharField(source="link_id")
    url = serializers.CharField(required=False, help_text="In clear, only in the answer that made it.")

    class Meta:
        model = SharedLink
        fields = ("id", "created_by", "created_at", "expires_at", "revoked_at", "opened", "last_opened_at", "url")
        read_only_fields = fields


class LinkList(serializers.Serializer[Any]):
    links = LinkAnswer(many=True)


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
