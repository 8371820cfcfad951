"""Pages about alerts: open ones, the history, one of them; taking charge of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Role
from alerts.models import Alert, AlertChange, Rule, Severity, State, What
from alerts.sending.models import Channel
from analysis import rollups, store
from core.batch import Table
from core.catalogue import FILESYSTEMS, SYSTEM
from core.tenancy import schema_context
from tests.cast import Cast

HOSTILE = "<script>alert(1)</script>{{7*7}}"
MEASURED = {
    "quantity": "system.cpu_busy_percent", "title": "CPU busy", "unit": "%", "value": 97.5, "threshold": 90.0,
    "clear_threshold": 80.0, "samples": 10, "window_seconds": 600,
}  # fmt: skip


@pytest.fixture
def now() -> datetime:
    return timezone.now().replace(second=0, microsecond=0)


@pytest.fixture
def rule(alpha: Cast) -> Iterator[Rule]:
    with schema_context(alpha.schema):
        yield Rule.objects.create(
            name="CPU is hot", kind="threshold", quantity="system.cpu_busy_percent", threshold=90, clear_threshold=80,
            window_seconds=600, notes="Look at <b>top</b>.",
        )  # fmt: skip


def fire(cast: Cast, rule: Rule, now: datetime, **more: Any) -> Alert:
    collector = cast.collector()
    with schema_context(cast.schema):
        alert = Alert.objects.create(**{
            "rule": rule, "rule_name": rule.name, "severity": rule.severity, "collector": collector,
            "target": f"machine:{collector.pk}{more.get('instance', '')}", "state": State.FIRING,
            "since": now - timedelta(minutes=30), "fired_at": now - timedelta(minutes=30), "evaluated_at": now,
            "value": 97.5, "evidence": MEASURED, "firings": 1, **more,
        })  # fmt: skip
        AlertChange.objects.create(
            alert=alert, what=What.FIRED, at=now, moment=now - timedelta(minutes=30), evidence=MEASURED
        )
        return alert


def page(cast: Cast, path: str, role: Role = Role.ANALYST, headers: dict[str, str] | None = None) -> str:
    answer = cast.client(role).get(path, headers=headers)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_open_alerts_say_what_where_and_how_bad_the_worst_first(alpha: Cast, rule: Rule, now: datetime) -> None:
    fire(alpha, rule, now, severity=Severity.WARNING, rule_name="Mild")
    fire(alpha, rule, now - timedelta(hours=3), severity=Severity.CRITICAL, rule_name="Grave", instance="/sda")
    text = page(alpha, "/alerts")
    assert text.index("Grave") < text.index("Mild")
    assert "97.5 %, limit 90 %" in text
    assert "server1" in text
    assert "<html" not in page(alpha, "/alerts", headers={"HX-Request": "true"})


def test_pending_and_resolved_alerts_are_not_open(alpha: Cast, rule: Rule, now: datetime) -> None:
    fire(alpha, rule, now, state=State.PENDING, fired_at=None, rule_name="Not yet")
    fire(alpha, rule, now, state=State.RESOLVED, resolved_at=now, resolution="It rained.", rule_name="Was")
    text = page(alpha, "/alerts")
    assert "Nothing is wrong" in text
    assert "Not yet" not in text
    history = page(alpha, "/alerts/history")
    assert "It rained." in history
    assert "Not yet" not in history


@pytest.mark.parametrize(
    ("query", "found"),
    [("severity=critical", False), ("severity=warning", True), ("machine=SERVER1", True), ("machine=other", False),
     ("rule=hot", True), ("rule=cold", False), ("severity=nonsense", True), ("page=99", True)],
)  # fmt: skip
def test_the_history_is_filtered(alpha: Cast, rule: Rule, now: datetime, query: str, found: bool) -> None:
    fire(alpha, rule, now)
    assert ('dir="auto">CPU is hot</a>' in page(alpha, f"/alerts/history?{query}")) is found


def test_an_alert_tells_its_evidence_its_rule_and_what_happened(alpha: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now)
    text = page(alpha, f"/alerts/{alert.public_id}")
    assert "97.5 %, limit 90 %" in text
    assert "CPU busy at or above 90 %, mean of 10 min, over beyond 80 %." in text
    assert "Mean of 10 min, 10 samples." in text
    assert "Look at &lt;b&gt;top&lt;/b&gt;." in text
    assert '<li class="fired">' in text


def test_the_chart_draws_what_the_rule_judged(alpha: Cast, rule: Rule, now: datetime) -> None:
    minutes = [now - timedelta(minutes=minute) for minute in range(60)]
    table = Table(SYSTEM, {"timestamp": minutes, "cpu_idle": [2.5] * 60, "cpu_iowait": [0.0] * 60})
    collector = alpha.collector()
    alert = fire(alpha, rule, now)
    assert 'class="drawn"' in page(alpha, f"/alerts/{alert.public_id}")  # without samples its levels alone
    with schema_context(alpha.schema):
        store.copy(store.rows_of(table, collector.pk))
    drawn = page(alpha, f"/alerts/{alert.public_id}").split('class="drawn">')[1].split("</svg>")[0]
    line = drawn.split('class="marks"')[1].split('data-name="CPU busy"')[1].split("/>")[0]
    assert len(re.findall(r"[\d.]+,[\d.]+", line)) > 20
    assert "var(--chart-0)" in drawn
    assert "CPU busy from" in drawn


def test_one_who_takes_it_is_named_and_it_can_be_given_back(alpha: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now)
    client = alpha.client(Role.ANALYST)
    answer = client.post(f"/alerts/{alert.public_id}/acknowledge", {"note": "on it"})
    assert answer["Location"] == f"/alerts/{alert.public_id}"
    text = page(alpha, f"/alerts/{alert.public_id}")
    assert "analyst@alpha.example has it" in text
    assert "on it" in text
    assert client.post(f"/alerts/{alert.public_id}/withdraw").status_code == 302
    with schema_context(alpha.schema):
        alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == (State.FIRING, "")


def test_taking_it_from_the_list_leads_back_there(alpha: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now)
    answer = alpha.client(Role.ANALYST).post(f"/alerts/{alert.public_id}/acknowledge", {"next": "list"})
    assert answer["Location"] == "/alerts"
    assert "analyst@alpha.example" in page(alpha, "/alerts")


def test_what_is_over_cannot_be_taken(alpha: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now, state=State.RESOLVED, resolved_at=now)
    answer = alpha.client(Role.ANALYST).post(f"/alerts/{alert.public_id}/acknowledge", follow=True)
    assert "is not firing any more" in answer.content.decode()


def test_a_note_that_is_too_long_is_refused(alpha: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now)
    answer = alpha.client(Role.ANALYST).post(f"/alerts/{alert.public_id}/acknowledge", {"note": "x" * 501})
    assert "at most 500 characters" in answer.content.decode()
    with schema_context(alpha.schema):
        alert.refresh_from_db()
    assert alert.state == State.FIRING


def test_a_viewer_sees_alerts_and_is_offered_nothing(alpha: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now)
    assert "Acknowledge" not in page(alpha, "/alerts", Role.VIEWER)
    assert "Acknowledge" not in page(alpha, f"/alerts/{alert.public_id}", Role.VIEWER)


def test_hostile_names_stay_text(alpha: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now, rule_name=HOSTILE, instance=f"/{HOSTILE}", resolution=HOSTILE)
    for path in ("/alerts", "/alerts/history", f"/alerts/{alert.public_id}"):
        text = page(alpha, path)
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text
        assert "{{7*7}}" in text


def test_a_cause_at_many_machines_names_them(alpha: Cast, rule: Rule, now: datetime) -> None:
    silent = {"silent_seconds": 1800, "machines": 4, "silent": 3, "grace_seconds": 900}
    names = ["db01", "db02", "web01", "web02"]
    alert = fire(alpha, rule, now, collector=None, cause="many", target="cause:many", members=names, evidence=silent)
    listed = page(alpha, "/alerts")
    assert "3 of 4 machines: no samples for 30 min" in listed
    assert "4 machines: db01, db02, web01, web02" in listed
    assert 'href="/machines/web02"' in page(alpha, f"/alerts/{alert.public_id}")


def test_an_alert_of_a_deleted_rule_can_still_be_read(alpha: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now)
    with schema_context(alpha.schema):
        rule.delete()
    assert "It was deleted." in page(alpha, f"/alerts/{alert.public_id}")


@pytest.mark.parametrize("path", ["/alerts", "/alerts/history"])
def test_lists_take_the_same_queries_however_long_they_are(alpha: Cast, rule: Rule, now: datetime, path: str) -> None:
    client = alpha.client(Role.ANALYST)

    def queries() -> int:
        with CaptureQueriesContext(connection) as taken:
            client.get(path)
        return len(taken)

    fire(alpha, rule, now)
    queries()  # the session's own, once
    few = queries()
    for number in range(20):
        fire(alpha, rule, now, instance=f"/d{number}")
    assert queries() == few


def test_the_other_partner_does_not_find_it(alpha: Cast, beta: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now)
    client = beta.client(Role.ADMIN)
    assert client.get(f"/alerts/{alert.public_id}").status_code == 404
    assert client.post(f"/alerts/{alert.public_id}/acknowledge").status_code == 404
    assert "CPU is hot" not in client.get("/alerts").content.decode()


def test_the_menu_leads_to_alerts_from_every_page_about_them(alpha: Cast, rule: Rule, now: datetime) -> None:
    alert = fire(alpha, rule, now)
    assert 'href="/alerts" aria-current="page"' in page(alpha, "/alerts")
    assert 'href="/alerts" aria-current="true"' in page(alpha, f"/alerts/{alert.public_id}")
    assert "aria-current" not in page(alpha, "/tokens").split('aria-label="Main"')[1].split("</nav>")[0]


def test_a_forecast_is_drawn_with_the_days_that_it_rests_on(alpha: Cast, now: datetime) -> None:
    hour = now.replace(minute=0)
    hours = [hour - timedelta(hours=back) for back in range(1, 24 * 6)]
    columns: dict[str, list[Any]] = {
        "timestamp": hours, "mount": ["/srv"] * len(hours), "total_mb": [1000.0] * len(hours),
        "used_mb": [900.0 - back for back in range(len(hours))],
        "available_mb": [100.0 + back for back in range(len(hours))],
    }  # fmt: skip
    collector = alpha.collector()
    with schema_context(alpha.schema):
        store.copy(store.rows_of(Table(FILESYSTEMS, columns), collector.pk))
        rollups.mark_stale([rollups.Span(collector.pk, hours[-1], hours[0])], now)
        rollups.refresh(now)
        filling = Rule.objects.get(shipped="filesystem-forecast")
    alert = fire(alpha, filling, now, instance="/srv", evidence={"days": [1.0, 4.0], "days_seen": 6})
    text = page(alpha, f"/alerts/{alert.public_id}")
    assert "full in 1 to 4 days" in text
    assert "Used from" in text


def test_a_page_of_alerts_says_when_nobody_is_told(alpha: Cast, rule: Rule, settings: Any) -> None:
    """The one channel of a new partner is mail, which needs a mail server."""
    settings.SENDS_MAIL = False
    assert "Nobody is told of alerts" in page(alpha, "/alerts")
    settings.SENDS_MAIL = True
    assert "Nobody is told of alerts" not in page(alpha, "/alerts")


def test_a_channel_that_fails_is_told_beside_the_alerts(alpha: Cast, rule: Rule, settings: Any) -> None:
    settings.SENDS_MAIL = True
    with schema_context(alpha.schema):
        Channel.objects.update(failures=3, last_failure="The mail server does not answer.")
        channel = Channel.objects.get()
    told = "fail, 3 in a row: The mail server does not answer."
    assert told in page(alpha, "/alerts")
    admins = page(alpha, "/alerts", Role.ADMIN)
    assert told in admins
    assert f'href="/manage/channels/{channel.public_id}"' in admins
