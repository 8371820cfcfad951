"""Forms of the pages about alerts: a rule of each kind, a file of rules, a silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict

from alerts.models import Comparison, Grouping, Kind, Rule, Severity
from alerts.quantities import EVENTS, QUANTITIES, STORES, Quantity
from collectors.models import Collector

_MINUTES = ("window", "grace")
_SCOPE = ("machine_ids", "tags")
_TOLD = ("severity", "group_by", "repeat_minutes", "escalate_after_minutes", "notes", "enabled")
FIELDS: Mapping[Kind, Sequence[str]] = {
    Kind.THRESHOLD: ("name", "quantity", "comparison", "threshold", "clear_threshold", "window", "grace",
                     "instance_pattern", *_SCOPE, *_TOLD),
    Kind.NO_DATA: ("name", "grace", *_SCOPE, *_TOLD),
    Kind.ANOMALY: ("name", "quantity", "comparison", "threshold", "least_deviation", "window", "grace",
                   "instance_pattern", *_SCOPE, *_TOLD),
    Kind.FORECAST: ("name", "quantity", "threshold", "clear_threshold", "instance_pattern", *_SCOPE, *_TOLD),
    Kind.EVENT: ("name", "quantity", "window", *_SCOPE, *_TOLD),
}  # fmt: skip
"""What a form of each kind asks for, in order."""
LABELS: Mapping[Kind, Mapping[str, tuple[str, str]]] = {
    Kind.NO_DATA: {"grace": ("May be silent for, minutes", "Two at least. It uploads every five minutes by default.")},
    Kind.ANOMALY: {
        "threshold": ("Robust deviations off", "Six is far; three is often."),
        "least_deviation": ("And off by, at least", "In the unit of what is watched."),
    },
    Kind.FORECAST: {
        "threshold": ("Full within, days", ""),
        "clear_threshold": ("Over when later than, days", "Empty: the same."),
    },
    Kind.EVENT: {"window": ("Stays open for, minutes", "Without another one.")},
}
_UNTIMED = {"threshold": 6.0, "window": 60, "grace": 30}


class RuleForm(forms.Form):
    """A rule of one kind. Its sense is checked by `alerts.rules`; here only its form is."""

    name = forms.CharField(label="Name", max_length=120, help_text="As it stands in messages: Memory stalls.")
    quantity = forms.ChoiceField(label="Watches")
    comparison = forms.ChoiceField(label="Fires", choices=Comparison.choices)
    threshold = forms.FloatField(label="Level")
    clear_threshold = forms.FloatField(
        label="Over when beyond", required=False, help_text="Some way back, so that it does not flap. Empty: the level."
    )
    least_deviation = forms.FloatField(label="Least deviation", required=False, min_value=0)
    window = forms.IntegerField(label="Mean of, minutes", min_value=2, max_value=1440, initial=10)
    grace = forms.IntegerField(
        label="For at least, minutes", min_value=0, max_value=10_080, initial=0,
        help_text="How long it must last before anybody is told.",
    )  # fmt: skip
    instance_pattern = forms.CharField(
        label="Devices", max_length=120, required=False,
        help_text="A pattern of devices, interfaces or mounts: <code>/srv*</code>. Empty: all.",
    )  # fmt: skip
    machine_ids = forms.MultipleChoiceField(
        label="Machines", required=False, help_text="None chosen, and no tags: all of them.",
        widget=forms.SelectMultiple({"size": 5}),
    )  # fmt: skip
    tags = forms.CharField(label="Machines with a tag", max_length=500, required=False, help_text="Tags, with commas.")
    severity = forms.ChoiceField(label="Severity", choices=Severity.choices, initial=Severity.WARNING)
    group_by = forms.ChoiceField(label="One message for", choices=Grouping.choices, initial=Grouping.MACHINE)
    repeat_minutes = forms.IntegerField(
        label="Say again after, minutes", required=False, min_value=1, help_text="While nobody has it. Empty: never."
    )
    escalate_after_minutes = forms.IntegerField(
        label="Escalate after, minutes", required=False, min_value=1,
        help_text="To channels of the second line, when nobody acknowledged. Empty: never.",
    )  # fmt: skip
    notes = forms.CharField(
        label="What to do", required=False, max_length=2000, widget=forms.Textarea({"rows": 3}),
        help_text="Goes with every message.",
    )  # fmt: skip
    enabled = forms.BooleanField(label="On", required=False, initial=True)

    def __init__(self, kind: Kind, rule: Rule, data: QueryDict | None = None) -> None:
        self.kind, self._rule = kind, rule
        super().__init__(data, initial=_initial(rule) if rule.pk else _UNTIMED if kind == Kind.ANOMALY else None)
        self.fields = {name: self.fields[name] for name in FIELDS[kind]}
        for name, (label, help_text) in LABELS.get(kind, {}).items():
            self.fields[name].label, self.fields[name].help_text = label, help_text
        self.machines = list(Collector.objects.filter(active=True).values_list("machine_id", flat=True))
        chosen = dict.fromkeys([*self.machines, *rule.machine_ids])
        self.fields["machine_ids"].choices = [(name, name) for name in chosen]  # type: ignore[attr-defined]
        if "quantity" in self.fields:
            self.fields["quantity"].choices = _quantities(kind)  # type: ignore[attr-defined]

    def clean_tags(self) -> list[str]:
        return list(dict.fromkeys(tag.strip() for tag in str(self.cleaned_data["tags"]).split(",") if tag.strip()))

    def rule(self) -> Rule:
        """The rule with what the form says; not saved, nor checked for sense."""
        wanted = copy(self._rule)
        asked = dict(self.cleaned_data)
        for name in _MINUTES:
            if name in asked:
                setattr(wanted, f"{name}_seconds", asked.pop(name) * 60)
        for name, value in asked.items():
            setattr(wanted, name, 0.0 if name == "least_deviation" and value is None else value)
        return wanted

    def take(self, error: ValidationError) -> None:
        """What is wrong with its sense, at its fields."""
        for name, sentences in error.message_dict.items():
            shown = name.removesuffix("_seconds")
            self.add_error(shown if shown in self.fields else None, sentences)


def _initial(rule: Rule) -> dict[str, Any]:
    said = {name: getattr(rule, name) for name in FIELDS[Kind(rule.kind)] if name not in _MINUTES}
    minutes = {name: getattr(rule, f"{name}_seconds") // 60 for name in _MINUTES}
    levels = {name: f"{value:g}" for name, value in said.items() if isinstance(value, float)}
    return said | levels | minutes | {"tags": ", ".join(rule.tags)}


def _quantities(kind: Kind) -> list[tuple[str, Any]]:
    """What a rule of the kind can watch, under the names of its datasets."""
    if kind == Kind.EVENT:
        return [(news.name, news.title) for news in EVENTS.values()]
    if kind == Kind.FORECAST:
        return [(store.name, store.title) for store in STORES.values()]
    grouped: dict[str, list[tuple[str, str]]] = {}
    for one in QUANTITIES.values():
        if kind == Kind.THRESHOLD or one.rolls_up:
            grouped.setdefault(one.dataset.title, []).append((one.name, _titled(one)))
    return list(grouped.items())


def _titled(quantity: Quantity) -> str:
    return f"{quantity.title}, {quantity.unit}" if quantity.unit else quantity.title


class RulesFileForm(forms.Form):
    file = forms.FileField(
        label="YAML file", widget=forms.FileInput({"accept": ".yaml,.yml"}),
        help_text="Rules of the same name are changed, others are added; all of them or none.",
    )  # fmt: skip


RECURRENCES = {
    "": "Once", "FREQ=DAILY": "Every day", "FREQ=WEEKLY": "Every week, on the day of its start",
    "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR": "On working days", "FREQ=WEEKLY;BYDAY=SA,SU": "On weekends",
    "FREQ=MONTHLY": "Every month, on the day of its start",
}  # fmt: skip
OWN = "own"


class SilenceForm(forms.Form):
    """Once from … to …, or again and again for some minutes from its first time on; in the tenant's time zone."""

    name = forms.CharField(label="Why", max_length=120, help_text="As people will read it: Backup window.")
    machine_ids = forms.MultipleChoiceField(
        label="Machines", required=False, help_text="None chosen, and no tags: all of them.",
        widget=forms.SelectMultiple({"size": 5}),
    )  # fmt: skip
    tags = forms.CharField(label="Machines with a tag", max_length=500, required=False, help_text="Tags, with commas.")
    rule = forms.ModelChoiceField(Rule.objects.all(), label="Rule", required=False, empty_label="All rules")
    starts_at = forms.DateTimeField(label="From", widget=forms.DateTimeInput({"type": "datetime-local"}))
    minutes = forms.IntegerField(
        label="For, minutes", min_value=1, max_value=44_640, initial=60, help_text="Up to 31 days."
    )
    recurrence = forms.ChoiceField(label="Again", required=False, choices=[*RECURRENCES.items(), (OWN, "As a rule …")])
    own_recurrence = forms.CharField(
        label="Rule of recurrence", required=False, max_length=200,
        help_text="RFC 5545, for the last choice: <code>FREQ=MONTHLY;BYDAY=1SU</code>.",
    )  # fmt: skip
    ends_on = forms.DateField(
        label="Last day", required=False, widget=forms.DateInput({"type": "date"}),
        help_text="Of one that comes again. Empty: until it is ended here.",
    )  # fmt: skip

    def __init__(self, data: QueryDict | None = None, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}))
        names = list(Collector.objects.values_list("machine_id", flat=True))
        self.fields["machine_ids"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]

    clean_tags = RuleForm.clean_tags

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if found.get("recurrence") == OWN:
            found["recurrence"] = found.get("own_recurrence", "").strip()
            if not found["recurrence"]:
                self.add_error("own_recurrence", "Write the rule, or choose one of the list.")
        return found

    @property
    def length(self) -> timedelta:
        return timedelta(minutes=self.cleaned_data["minutes"])
