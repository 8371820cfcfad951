"""Serializers of alerts, rules, silences and channels."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alerts import words
from alerts.models import Alert, AlertChange, Rule, Severity, Silence, State
from alerts.rules_file import FIELDS
from alerts.sending import phrases
from alerts.sending.models import Channel, ChannelKind, Delivery

MOST_LISTED = 500
BODY_FIELDS = tuple(name for name in FIELDS if name != "shipped")


class AlertQuery(serializers.Serializer[Any]):
    state = serializers.ChoiceField(
        choices=["open", "any", *(state for state in State.values if state != State.PENDING)], default="open",
        help_text="open: firing or acknowledged. Pending ones, whose grace time is not over, are not listed.",
    )  # fmt: skip
    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    machine_id = serializers.CharField(required=False)
    rule = serializers.IntegerField(required=False, help_text="Id of a rule.")
    limit = serializers.IntegerField(default=100, min_value=1, max_value=MOST_LISTED)
    before = serializers.CharField(required=False, help_text="`next` of the answer before.")


class AlertAnswer(serializers.ModelSerializer[Alert]):
    id = serializers.CharField(source="public_id")
    rule = serializers.IntegerField(source="rule_id", allow_null=True, help_text="Null: the rule was deleted.")
    machine_id = serializers.CharField(source="collector.machine_id", default=None, allow_null=True)
    where = serializers.SerializerMethodField()
    sentence = serializers.SerializerMethodField(help_text="How bad it is: value, limit and window, or what happened.")

    class Meta:
        model = Alert
        fields: tuple[str, ...] = (
            "id", "rule", "rule_name", "severity", "state", "is_silenced", "machine_id", "instance", "members", "where",
            "sentence", "value", "evidence", "since", "fired_at", "acknowledged_at", "acknowledged_by", "resolved_at",
            "resolution", "firings", "escalated_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_where(self, alert: Alert) -> str:
        return phrases.where(alert)

    def get_sentence(self, alert: Alert) -> str:
        return phrases.sentence(alert)


class AlertList(serializers.Serializer[Any]):
    alerts = AlertAnswer(many=True)
    next = serializers.CharField(allow_null=True, help_text="For `before`: there are older ones. Null: there are none.")


class ChangeAnswer(serializers.ModelSerializer[AlertChange]):
    class Meta:
        model = AlertChange
        fields = ("what", "at", "moment", "by", "note", "evidence")
        read_only_fields = fields


class AlertDetailAnswer(AlertAnswer):
    changes = ChangeAnswer(many=True, help_text="Oldest first; `by` is empty for the engine.")

    class Meta(AlertAnswer.Meta):
        fields = (*AlertAnswer.Meta.fields, "changes")
        read_only_fields = fields


class NoteBody(serializers.Serializer[Any]):
    note = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class RuleBody(serializers.ModelSerializer[Rule]):
    """Describes the body; `alerts.rules_file` is what checks it, as of a file."""

    class Meta:
        model = Rule
        fields = BODY_FIELDS


class RuleAnswer(serializers.ModelSerializer[Rule]):
    sentence = serializers.SerializerMethodField(help_text="When it fires and when that is over, and for whom.")

    class Meta:
        model = Rule
        fields = ("id", *FIELDS, "sentence", "created_at", "changed_at", "changed_by")
        read_only_fields = fields

    def get_sentence(self, rule: Rule) -> str:
        return words.of_rule(rule)


class RuleList(serializers.Serializer[Any]):
    rules = RuleAnswer(many=True)


class RehearsalQuery(serializers.Serializer[Any]):
    days = serializers.IntegerField(default=30, min_value=1, max_value=90)
    machine_id = serializers.CharField(default="", allow_blank=True, help_text="All machines of the rule without it.")


class SpellAnswer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    fired_at = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="Null: it would be open now.")


class PlaceAnswer(serializers.Serializer[Any]):
    machine_id = serializers.CharField()
    instance = serializers.CharField()
    cause = serializers.CharField()
    spells = SpellAnswer(many=True)


class RehearsalAnswer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    count = serializers.IntegerField(help_text="How often it would have fired.")
    in_scope = serializers.IntegerField(help_text="Machines that the rule watches.")
    looked_at = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Machines that may have fired, but were too many to look at.")
    places = PlaceAnswer(many=True)


class SilenceBody(serializers.ModelSerializer[Silence]):
    machine_ids = serializers.ListField(child=serializers.CharField(max_length=128), max_length=1000, required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=64), max_length=100, required=False)
    rule = serializers.PrimaryKeyRelatedField(queryset=Rule.objects.all(), required=False, allow_null=True)
    minutes = serializers.IntegerField(min_value=1, max_value=100_000, required=False, allow_null=True)

    class Meta:
        model = Silence
        fields = ("name", "machine_ids", "tags", "rule", "starts_at", "ends_at", "recurrence", "minutes")


class SilenceAnswer(serializers.ModelSerializer[Silence]):
    holds = serializers.SerializerMethodField(help_text="Whether it holds now.")

    class Meta:
        model = Silence
        fields = (
            "id", "name", "machine_ids", "tags", "rule", "starts_at", "ends_at", "recurrence", "minutes", "holds",
            "created_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_holds(self, silence: Silence) -> bool:
        return bool(self.context["holds"](silence))


class SilenceList(serializers.Serializer[Any]):
    silences = SilenceAnswer(many=True)


class ChannelChange(serializers.Serializer[Any]):
    """What is not given stays as it is."""

    name = serializers.CharField(max_length=80, required=False)
    address = serializers.CharField(
        max_length=2000,
        required=False,
        write_only=True,
        help_text="By kind, see docs/notifications.md. Never answered.",
    )
    least_severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    escalations_only = serializers.BooleanField(required=False)
    quiet_from = serializers.TimeField(required=False, allow_null=True, help_text="In the tenant's time zone.")
    quiet_until = serializers.TimeField(required=False, allow_null=True)
    enabled = serializers.BooleanField(required=False)


class ChannelOrder(ChannelChange):
    name = serializers.CharField(max_length=80)
    kind = serializers.ChoiceField(choices=ChannelKind.choices)
    address = serializers.CharField(
        max_length=2000, write_only=True, help_text="By kind, see docs/notifications.md. Never answered."
    )
    enabled = None  # type: ignore[assignment]  # a new one is on


class ChannelAnswer(serializers.ModelSerializer[Channel]):
    id = serializers.CharField(source="public_id")
    shown_address = serializers.CharField(source="hint", help_text="What of the address anybody may read.")

    class Meta:
        model = Channel
        fields: tuple[str, ...] = (
            "id", "name", "kind", "shown_address", "least_severity", "escalations_only", "quiet_from", "quiet_until",
            "enabled", "failures", "paused_until", "last_sent_at", "last_failed_at", "last_failure", "created_at",
            "created_by",
        )  # fmt: skip
        read_only_fields = fields


class ChannelMade(ChannelAnswer):
    secret = serializers.SerializerMethodField(help_text="Of a webhook, shown this once; else empty.")

    class Meta(ChannelAnswer.Meta):
        fields = (*ChannelAnswer.Meta.fields, "secret")
        read_only_fields = fields

    def get_secret(self, channel: Channel) -> str:
        return str(self.context["secret"])


class ChannelList(serializers.Serializer[Any]):
    channels = ChannelAnswer(many=True)


class SecretAnswer(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text="Shown this once.")


class TestAnswer(serializers.Serializer[Any]):
    sent = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why not; empty when it was taken.")


class DeliveryAnswer(serializers.ModelSerializer[Delivery]):
    message_id = serializers.CharField(source="message.key", help_text="The id that every copy carries.")
    kind = serializers.CharField(source="message.kind")
    severity = serializers.CharField(source="message.severity")
    alerts = serializers.SerializerMethodField()

    class Meta:
        model = Delivery
        fields = (
            "message_id", "kind", "severity", "alerts", "state", "attempts", "due_at", "created_at", "ended_at",
            "reason",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_alerts(self, delivery: Delivery) -> list[str]:
        return [alert.public_id for alert in delivery.message.alerts.all()]


class DeliveryList(serializers.Serializer[Any]):
    deliveries = DeliveryAnswer(many=True)
