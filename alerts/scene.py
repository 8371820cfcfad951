"""What one run of the evaluation works on, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from accounts import tenant_settings
from alerts import rules
from alerts.book import Book
from alerts.models import Kind, Rule
from collectors.models import Collector

FRESH = timedelta(minutes=30)
"""Windows that end longer ago are not looked at any more: what is over pages nobody, however late its samples come."""


@dataclass(frozen=True)
class Scene:
    """rules: those that are enabled and make sense. collectors: the active machines, by primary key."""

    now: datetime
    zone: ZoneInfo
    rules: Sequence[Rule]
    collectors: dict[int, Collector]
    book: Book

    @staticmethod
    def read(now: datetime) -> Scene:
        """Five queries."""
        enabled = [rule for rule in Rule.objects.filter(enabled=True).order_by("id") if not rules.complaints(rule)]
        machines = {machine.pk: machine for machine in Collector.objects.filter(active=True).defer("inventory")}
        return Scene(now, tenant_settings.zone(), enabled, machines, Book.open(now))

    def of_kind(self, *kinds: Kind) -> list[Rule]:
        return [rule for rule in self.rules if rule.kind in kinds]

    def scope(self, rule: Rule) -> set[int]:
        return rules.scope(rule, list(self.collectors.values()))
