"""alerts.outbox and the promises that its tables keep by themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from alerts import outbox
from alerts.models import Alert, Kind, Message, MessageKind, Rule, Severity, State
from core.tenancy import schema_context
from tests.cast import Cast

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def alert(rule: Rule, **fields: object) -> Alert:
    values = {"state": State.FIRING, "target": "machine:1", "since": NOON, "evaluated_at": NOON, **fields}
    return Alert.objects.create(rule=rule, rule_name=rule.name, severity=rule.severity, **values)


def message(due_at: datetime) -> Message:
    return Message.objects.create(
        kind=MessageKind.FIRING, group="rule:1", severity=Severity.WARNING, created_at=NOON, due_at=due_at
    )


def test_a_rule_has_one_open_alert_a_target(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        rule = Rule.objects.create(name="hot", kind=Kind.THRESHOLD)
        alert(rule, state=State.RESOLVED)
        alert(rule, state=State.PENDING)
        with pytest.raises(IntegrityError), transaction.atomic():
            alert(rule, state=State.ACKNOWLEDGED)


def test_a_message_is_taken_once_and_not_before_it_is_due(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        late, early = message(NOON + MINUTE), message(NOON)
        message(NOON + 10 * MINUTE)
        with transaction.atomic():
            assert [taken.key for taken in outbox.take(NOON + MINUTE)] == [early.key, late.key]
            assert outbox.take(NOON + MINUTE) == []


def test_messages_stay_in_their_tenant(alpha: Cast, beta: Cast) -> None:
    with schema_context(alpha.schema):
        message(NOON)
    with schema_context(beta.schema), transaction.atomic():
        assert outbox.take(NOON) == []


def test_an_alert_outlives_its_rule(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        rule = Rule.objects.create(name="hot", kind=Kind.THRESHOLD)
        kept = alert(rule)
        rule.delete()
        kept.refresh_from_db()
        assert (kept.rule, kept.rule_name) == (None, "hot")
