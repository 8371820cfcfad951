"""Rules, alerts with every change, silences, and the outbox of what people must be told.

The engine (`alerts.evaluation`) writes alerts and messages in one transaction; `alerts.outbox.take` hands messages to
what delivers them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from secrets import token_hex

from django.db import models
from django.db.models import Q
from django.utils import timezone

from collectors.models import Collector


def new_public_id() -> str:
    return token_hex(8)


def new_key() -> str:
    return token_hex(16)


class Kind(models.TextChoices):
    THRESHOLD = "threshold", "Threshold"
    NO_DATA = "no_data", "No data"
    ANOMALY = "anomaly", "Unusual for its hour of the week"
    FORECAST = "forecast", "Will be full"
    EVENT = "event", "Something new"


class Comparison(models.TextChoices):
    ABOVE = "above", "at or above"
    BELOW = "below", "at or below"


class Severity(models.TextChoices):
    INFO = "info", "Info"
    WARNING = "warning", "Warning"
    CRITICAL = "critical", "Critical"


class Grouping(models.TextChoices):
    """Which alerts that begin together are told in one message."""

    RULE = "rule", "All machines of the rule together"
    MACHINE = "machine", "All alerts of a machine together"


class Rule(models.Model):
    """What to watch for. `quantity` is a name of `alerts.quantities` (for kind event: of its EVENTS; no_data: empty).

    threshold and clear_threshold: in the quantity's unit; anomaly: in robust deviations; forecast: in days until full.
    clear_threshold None: the threshold itself. window_seconds: what is averaged over. grace_seconds: how long the
    condition must last before the alert fires; no_data: how long a machine may be silent. least_deviation: anomaly
    only, in the quantity's unit. machine_ids and tags: any of them; both empty: all machines. instance_pattern: a shell
    pattern for device, interface or mount. escalate_after_minutes, repeat_minutes: None is never. shipped: the key in
    defaults.yaml of a rule that came with the product, else empty.
    """

    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    quantity = models.CharField(max_length=64, blank=True)
    comparison = models.CharField(max_length=8, choices=Comparison.choices, default=Comparison.ABOVE)
    threshold = models.FloatField(null=True, blank=True)
    clear_threshold = models.FloatField(null=True, blank=True)
    least_deviation = models.FloatField(default=0.0)
    window_seconds = models.PositiveIntegerField(default=600)
    grace_seconds = models.PositiveIntegerField(default=0)
    severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.WARNING)
    machine_ids = models.JSONField(default=list, blank=True)
    tags = models.JSONField(default=list, blank=True)
    instance_pattern = models.CharField(max_length=120, blank=True)
    group_by = models.CharField(max_length=8, choices=Grouping.choices, default=Grouping.MACHINE)
    repeat_minutes = models.PositiveIntegerField(null=True, blank=True)
    escalate_after_minutes = models.PositiveIntegerField(null=True, blank=True)
    enabled = models.BooleanField(default=True)
    notes = models.TextField(blank=True, max_length=2000)
    shipped = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.CharField(max_length=254, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class State(models.TextChoices):
    PENDING = "pending", "Pending"
    FIRING = "firing", "Firing"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    RESOLVED = "resolved", "Resolved"


OPEN = (State.PENDING, State.FIRING, State.ACKNOWLEDGED)
LOUD = (State.FIRING, State.ACKNOWLEDGED)
"""Open, and past the grace time: what people see as an open alert."""


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> AlertQuerySet:
        """Pending ones too: they are not alerts for people yet."""
        return self.filter(state__in=OPEN)

    def loud(self) -> AlertQuerySet:
        return self.filter(state__in=LOUD)

    def at(self, collector: Collector) -> AlertQuerySet:
        """Of one machine, alone or as one of several with the same cause."""
        return self.filter(Q(collector=collector) | Q(members__contains=[collector.machine_id]))

    def by_machine(self) -> dict[str, list[str]]:
        """Severities of these, the worst first, by machine id; those of one cause count for each of its machines."""
        found: dict[str, list[str]] = {}
        for severity, machine_id, members in self.values_list("severity", "collector__machine_id", "members"):
            for name in [machine_id] if machine_id else members:
                found.setdefault(name, []).append(severity)
        return {name: sorted(severities, key=Severity.values.index, reverse=True) for name, severities in found.items()}

    def ever_fired(self) -> AlertQuerySet:
        """What history shows: a pending alert whose condition passed within the grace time is left out."""
        return self.filter(fired_at__isnull=False)


class Alert(models.Model):
    """One rule's condition at one target, from when it was first met until it is over.

    target: `machine:<collector id>` and `/<instance>` for a device, or `cause:<cause>`; a rule has one open alert a
    target. collector None: one cause at many machines (`members`: their machine ids). rule None: it was deleted;
    rule_name and severity are as they were. since, fired_at, resolved_at: by the data, when the condition began, fired,
    ended; what was decided when stands in the changes. clear_since: since when it has been below the clear level.
    firings: how often the target fired within a day, this time included. value, evidence: newest evaluation.
    told_at: when the message of its firing was put into the outbox; None while silenced. told_resolved_at: likewise.
    """

    public_id = models.CharField(max_length=16, unique=True, default=new_public_id)
    rule = models.ForeignKey(Rule, on_delete=models.SET_NULL, null=True, related_name="alerts")
    rule_name = models.CharField(max_length=120)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    collector = models.ForeignKey(Collector, on_delete=models.CASCADE, null=True, related_name="alerts")
    instance = models.TextField(blank=True)
    cause = models.CharField(max_length=120, blank=True)
    members = models.JSONField(default=list, blank=True)
    target = models.TextField()
    state = models.CharField(max_length=16, choices=State.choices)
    is_silenced = models.BooleanField(default=False)
    since = models.DateTimeField()
    fired_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=254, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=500, blank=True)
    clear_since = models.DateTimeField(null=True, blank=True)
    firings = models.PositiveIntegerField(default=0)
    evaluated_at = models.DateTimeField()
    value = models.FloatField(null=True, blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    repeated_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    told_resolved_at = models.DateTimeField(null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ("-since", "-id")
        constraints = (
            models.UniqueConstraint(fields=("rule", "target"), condition=Q(state__in=OPEN), name="one_open_alert"),
        )
        indexes = (
            models.Index(fields=("state",), condition=Q(state__in=OPEN), name="alerts_open"),
            models.Index(fields=("collector", "-since"), name="alerts_by_machine"),
        )

    def __str__(self) -> str:
        return f"{self.rule_name} {self.target} {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class What(models.TextChoices):
    """What changed about an alert."""

    OPENED = "opened", "Condition met"
    FIRED = "fired", "Fired"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"
    REOPENED = "reopened", "Acknowledgement withdrawn"
    SILENCED = "silenced", "Silenced"
    HEARD = "heard", "No longer silenced"
    ESCALATED = "escalated", "Escalated"
    RESOLVED = "resolved", "Resolved"
    EXPLAINED = "explained", "Explained later"


class AlertChange(models.Model):
    """A change and its evidence. at: when it was decided; moment: when it was so by the data; by: empty is the engine.

    evidence: what `alerts.evidence` describes: value, window, threshold, and the samples or hours behind them.
    """

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="changes")
    what = models.CharField(max_length=16, choices=What.choices)
    at = models.DateTimeField()
    moment = models.DateTimeField()
    by = models.CharField(max_length=254, blank=True)
    note = models.CharField(max_length=500, blank=True)
    evidence = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.alert_id} {self.what}"


class Silence(models.Model):
    """No messages for some machines and rules while it lasts; alerts go on being recorded.

    One-off: starts_at ≤ t < ends_at. Recurring (a maintenance window): `recurrence` is an RFC 5545 rule such as
    FREQ=WEEKLY;BYDAY=SU, counted in wall-clock time of the tenant's time zone from starts_at on; each occurrence lasts
    `minutes`; ends_at None: for ever. machine_ids and tags: any of them, both empty: every machine. rule None: all.
    """

    name = models.CharField(max_length=120)
    machine_ids = models.JSONField(default=list, blank=True)
    tags = models.JSONField(default=list, blank=True)
    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, null=True, blank=True, related_name="silences")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    recurrence = models.CharField(max_length=200, blank=True)
    minutes = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-starts_at", "-id")

    def __str__(self) -> str:
        return self.name

    @property
    def length(self) -> timedelta:
        """Of one occurrence of a recurring silence."""
        return timedelta(minutes=self.minutes or 0)


class MessageKind(models.TextChoices):
    FIRING = "firing", "Firing"
    REPEAT = "repeat", "Still firing"
    ESCALATION = "escalation", "Nobody has acknowledged"
    RESOLVED = "resolved", "Resolved"
    SUMMARY = "summary", "Summary"
    """Instead of many: what fired and resolved since the hour's limit of messages was reached."""


class Message(models.Model):
    """Something that people must be told; one row is one notification, whatever the number of alerts and channels.

    key: the idempotency id: the same at every attempt and channel. group: what was grouped by, `rule:<id>` or
    `machine:<collector id>`. severity: the worst of its alerts. While taken_at is None the engine may still add alerts
    or take back those that are over; `alerts.outbox.take` sets it, and from then on the row belongs to delivery.
    """

    key = models.CharField(max_length=32, unique=True, default=new_key)
    kind = models.CharField(max_length=16, choices=MessageKind.choices)
    group = models.CharField(max_length=64)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    alerts = models.ManyToManyField(Alert, related_name="messages")
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("due_at", "id")
        indexes = (
            models.Index(fields=("due_at",), condition=Q(taken_at__isnull=True), name="messages_waiting"),
            models.Index(fields=("created_at",), name="messages_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.group}"


class Progress(models.Model):
    """How far one dataset of one machine has been evaluated: windows that end up to `until` are done."""

    collector = models.ForeignKey(Collector, on_delete=models.CASCADE, related_name="+")
    dataset = models.CharField(max_length=16)
    until = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collector", "dataset"), name="one_progress"),)

    def __str__(self) -> str:
        return f"{self.collector_id} {self.dataset} {self.until:%Y-%m-%d %H:%M}"


class Known(models.Model):
    """What a machine last told of itself (boot_id, agent): rules of kind event fire when it changes."""

    collector = models.ForeignKey(Collector, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=32)
    value = models.TextField(blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collector", "name"), name="one_value_known"),)

    def __str__(self) -> str:
        return f"{self.collector_id} {self.name}={self.value}"


class Run(models.Model):
    """The one row that says when this tenant was last evaluated, and since when it is so without a break.

    A machine's silence is counted from `resumed_at` at the earliest: what the portal slept through is no machine's
    fault. last_event: the highest id of the machine events that were looked at.
    """

    evaluated_at = models.DateTimeField()
    resumed_at = models.DateTimeField()
    hourly_at = models.DateTimeField(null=True, blank=True)
    last_event = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.evaluated_at:%Y-%m-%d %H:%M}"

    @staticmethod
    def begun(now: datetime) -> Run:
        """The row, locked until the end of the transaction; made at the first run."""
        run = Run.objects.select_for_update().first()
        return run or Run.objects.create(evaluated_at=now, resumed_at=now)
