"""Page Hygiene: noisy rules, ignored ones, those that never fired; one click takes a suggestion."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Role
from alerts.models import Alert, Rule, State
from core.tenancy import schema_context
from tests.cast import Cast

PATH = "/alerts/hygiene"
FLAPS = "<b>Flaps</b>"


@pytest.fixture
def rule(alpha: Cast) -> Iterator[Rule]:
    with schema_context(alpha.schema):
        yield Rule.objects.create(
            name=FLAPS, kind="threshold", quantity="system.cpu_busy_percent", threshold=90, severity="warning"
        )


def flap(cast: Cast, rule: Rule, times: int) -> None:
    """Alerts of two minutes each, that nobody acknowledged."""
    now, collector = timezone.now(), cast.collector()
    begins: list[datetime] = [now - timedelta(hours=hour + 1) for hour in range(times)]
    with schema_context(cast.schema):
        Alert.objects.bulk_create(
            Alert(
                rule=rule, rule_name=rule.name, severity=rule.severity, collector=collector, target=f"machine:{number}",
                state=State.RESOLVED, since=begin, fired_at=begin, resolved_at=begin + timedelta(minutes=2),
                evaluated_at=begin,
            )
            for number, begin in enumerate(begins)
        )  # fmt: skip


def test_a_noisy_rule_is_named_with_what_would_help(alpha: Cast, rule: Rule) -> None:
    flap(alpha, rule, 12)
    text = alpha.client(Role.ANALYST).get(PATH).content.decode()
    assert "&lt;b&gt;Flaps&lt;/b&gt;" in text
    assert FLAPS not in text
    assert "12 of 12 alerts lasted less than 5 minutes: with that as grace time 0 would be left." in text
    assert "server1" in text
    assert "2 min" in text


def test_one_click_takes_the_suggestion(alpha: Cast, rule: Rule) -> None:
    flap(alpha, rule, 12)
    client = alpha.client(Role.ANALYST)
    answer = client.post(f"/alerts/rules/{rule.pk}/tune", {"suggestion": "grace_seconds=300"}, follow=True)
    assert "is changed as suggested" in answer.content.decode()
    with schema_context(alpha.schema):
        rule.refresh_from_db()
    assert (rule.grace_seconds, rule.changed_by) == (300, "analyst@alpha.example")


@pytest.mark.parametrize("suggestion", ["", "grace_seconds=1", "threshold=0", "severity=info"])
def test_what_is_not_suggested_changes_nothing(alpha: Cast, rule: Rule, suggestion: str) -> None:
    flap(alpha, rule, 12)
    client = alpha.client(Role.ANALYST)
    answer = client.post(f"/alerts/rules/{rule.pk}/tune", {"suggestion": suggestion}, follow=True)
    assert "is not what is suggested" in answer.content.decode()
    with schema_context(alpha.schema):
        rule.refresh_from_db()
    assert (rule.grace_seconds, rule.severity) == (0, "warning")


def test_rules_that_are_old_and_never_fired_are_listed(alpha: Cast, rule: Rule) -> None:
    with schema_context(alpha.schema):
        Rule.objects.filter(pk=rule.pk).update(created_at=timezone.now() - timedelta(days=40))
    assert "&lt;b&gt;Flaps&lt;/b&gt;" in alpha.client(Role.VIEWER).get(PATH).content.decode().split("Never fired")[1]


def test_a_viewer_is_offered_no_change(alpha: Cast, rule: Rule) -> None:
    flap(alpha, rule, 12)
    assert "Do that" not in alpha.client(Role.VIEWER).get(PATH).content.decode()


def test_more_alerts_take_no_more_queries(alpha: Cast, rule: Rule) -> None:
    client = alpha.client(Role.ANALYST)

    def queries() -> int:
        with CaptureQueriesContext(connection) as taken:
            client.get(PATH)
        return len(taken)

    flap(alpha, rule, 12)
    queries()  # the session's own, once
    few = queries()
    flap(alpha, rule, 30)
    assert queries() == few
