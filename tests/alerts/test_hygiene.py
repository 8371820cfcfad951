"""alerts.hygiene: what a month of alerts says about the rules, and its suggestions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import AuditEvent
from alerts import hygiene
from alerts.models import Alert, Kind, Message, MessageKind, Rule, Severity, State
from collectors.models import Collector

pytestmark = pytest.mark.usefixtures("inside_alpha")
NOW = datetime(2026, 3, 30, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _no_rules(inside_alpha: object) -> None:
    Rule.objects.all().delete()


def rule(name: str = "hot", **fields: object) -> Rule:
    values = {"kind": Kind.THRESHOLD, "quantity": "system.psi_cpu_some", "threshold": 60, "created_at": NOW - 60 * DAY}
    return Rule.objects.create(name=name, **(values | fields))


def fired(of: Rule, minutes: list[int], *, days_ago: float = 3, acknowledged: bool = False) -> None:
    for number, length in enumerate(minutes):
        since = NOW - days_ago * DAY + number * timedelta(hours=1)
        Alert.objects.create(
            rule=of, rule_name=of.name, severity=of.severity, collector=Collector.objects.get(), target=f"m{number}",
            state=State.RESOLVED, since=since, fired_at=since, resolved_at=since + length * MINUTE, evaluated_at=since,
            acknowledged_at=since if acknowledged else None,
        )  # fmt: skip


def test_a_rule_of_many_short_alerts_gets_a_longer_grace_time_suggested_and_applied() -> None:
    noisy = rule(grace_seconds=300)
    fired(noisy, [12] * 9 + [95, 120, 300])
    (found,) = hygiene.review(NOW).noisy
    assert (found.alerts, found.acknowledged, found.busiest) == (12, 0, ("server1", 12))
    assert found.median_length == 12 * MINUTE
    assert found.suggestion is not None
    assert found.suggestion.changes == {"grace_seconds": 900}
    assert found.suggestion.sentence.startswith("9 of 12 alerts lasted less than 15 minutes")
    assert not hygiene.apply(noisy, "grace_seconds=1", NOW, actor="ann@alpha.example", ip=None)
    assert hygiene.apply(noisy, found.suggestion.key, NOW, actor="ann@alpha.example", ip=None)
    noisy.refresh_from_db()
    assert (noisy.grace_seconds, noisy.changed_by) == (900, "ann@alpha.example")
    assert AuditEvent.objects.filter(event="alert_rule.changed").exists()


def test_what_nobody_acknowledges_is_told_and_a_lower_severity_suggested() -> None:
    fired(rule(severity=Severity.CRITICAL), [600] * 6)
    fired(rule("heeded"), [600] * 6, acknowledged=True)
    (found,) = hygiene.review(NOW).ignored
    assert found.suggestion is not None
    assert found.suggestion.changes == {"severity": "warning"}


def test_a_rule_that_never_fired_is_told_but_not_a_young_or_disabled_one() -> None:
    rule("old")
    rule("young", created_at=NOW - 5 * DAY)
    rule("off", enabled=False)
    fired(rule("fired"), [10])
    assert [one.name for one in hygiene.review(NOW).never_fired] == ["old"]


def test_only_the_period_counts_and_messages_are_counted_by_rule() -> None:
    noisy = rule()
    fired(noisy, [10] * 12, days_ago=45)
    fired(noisy, [10] * 11)
    message = Message.objects.create(
        kind=MessageKind.FIRING, group="rule:1", severity="warning", created_at=NOW - DAY, due_at=NOW - DAY
    )
    message.alerts.add(*Alert.objects.filter(fired_at__gt=NOW - 30 * DAY))
    (found,) = hygiene.review(NOW).noisy
    assert (found.alerts, found.messages) == (11, 1)


def test_long_alerts_that_are_heeded_get_no_suggestion() -> None:
    fired(rule(), [600] * 12, acknowledged=True)
    (found,) = hygiene.review(NOW).noisy
    assert found.suggestion is None
