"""Pages of rules: the list, the editor of each kind, the switch, and rules as a file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from accounts.models import AuditEvent, Role
from alerts.models import Kind, Rule
from analysis import store
from core.batch import Table
from core.catalogue import SYSTEM
from core.tenancy import schema_context
from portal.alert_forms import FIELDS
from tests.cast import Cast

GOOD = {
    "kind": "threshold", "name": "Hot", "quantity": "system.cpu_busy_percent", "comparison": "above", "threshold": "90",
    "clear_threshold": "80", "window": "15", "grace": "5", "tags": "prod, web ,prod", "severity": "critical",
    "group_by": "machine", "escalate_after_minutes": "30", "notes": "Call.", "enabled": "on",
}  # fmt: skip
OTHERS: dict[str, dict[str, str]] = {
    "no_data": {"name": "Mute", "grace": "20", "severity": "critical", "group_by": "rule"},
    "anomaly": {"name": "Odd", "quantity": "system.cpu_busy_percent", "comparison": "above", "threshold": "6",
                "window": "60", "grace": "30", "severity": "info", "group_by": "machine"},
    "forecast": {"name": "Filling", "quantity": "filesystems.days_until_full", "threshold": "7",
                 "severity": "warning", "group_by": "machine"},
    "event": {"name": "Restarted", "quantity": "reboot", "window": "60", "severity": "info", "group_by": "machine"},
}  # fmt: skip


def rules(cast: Cast, **wanted: Any) -> list[Rule]:
    with schema_context(cast.schema):
        return list(Rule.objects.filter(**wanted))


def one(cast: Cast, name: str) -> Rule:
    (found,) = rules(cast, name=name)
    return found


def test_every_shipped_rule_is_listed_with_when_it_fires(alpha: Cast) -> None:
    text = alpha.client(Role.VIEWER).get("/alerts/rules").content.decode()
    shipped = rules(alpha)
    assert len(shipped) > 10
    assert all(rule.name in text for rule in shipped)
    assert "No samples for 15 min." in text
    assert "Switch off" not in text


def test_a_rule_is_saved_as_the_form_says(alpha: Cast) -> None:
    assert alpha.client(Role.ANALYST).post("/alerts/rules/new", GOOD)["Location"] == "/alerts/rules"
    rule = one(alpha, "Hot")
    assert (rule.threshold, rule.clear_threshold, rule.window_seconds, rule.grace_seconds) == (90, 80, 900, 300)
    assert (rule.tags, rule.severity, rule.escalate_after_minutes) == (["prod", "web"], "critical", 30)
    assert (rule.enabled, rule.changed_by) == (True, "analyst@alpha.example")
    with schema_context(alpha.schema):
        assert AuditEvent.objects.filter(event="alert_rule.created", detail__rule="Hot").count() == 1


@pytest.mark.parametrize("kind", OTHERS)
def test_a_rule_of_every_kind_can_be_made_and_changed(alpha: Cast, kind: str) -> None:
    client, sent = alpha.client(Role.ANALYST), {"kind": kind, **OTHERS[kind]}
    answer = client.post("/alerts/rules/new", sent)
    assert answer.status_code == 302, answer.content.decode()
    rule = one(alpha, OTHERS[kind]["name"])
    assert rule.kind == kind
    assert not rule.enabled
    path = f"/alerts/rules/{rule.pk}"
    assert OTHERS[kind]["name"] in client.get(path).content.decode()
    assert client.post(path, {**sent, "severity": "critical", "enabled": "on"}).status_code == 302
    changed = one(alpha, OTHERS[kind]["name"])
    assert (changed.pk, changed.severity, changed.enabled) == (rule.pk, "critical", True)


def test_every_kind_has_a_form_of_its_own() -> None:
    assert set(FIELDS) == set(Kind)


def test_a_form_sent_back_unchanged_changes_nothing(alpha: Cast) -> None:
    """Every shipped rule survives being opened and saved."""
    client = alpha.client(Role.ANALYST)
    for rule in rules(alpha):
        form = client.get(f"/alerts/rules/{rule.pk}").context["form"]
        sent = {field.html_name: field.value() for field in form if str(field.value()) not in ("None", "False")}
        answer = client.post(f"/alerts/rules/{rule.pk}", {"kind": rule.kind, **sent})
        assert answer.status_code == 302, answer.context["form"].errors
        after = one(alpha, rule.name)
        kept = [field.name for field in Rule._meta.fields if field.name not in ("changed_at", "changed_by")]
        assert {name: getattr(after, name) for name in kept} == {name: getattr(rule, name) for name in kept}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"name": "Memory stalls"}, "Another rule has this name"),
        ({"clear_threshold": "95"}, "may not lie above the threshold"),
        ({"threshold": ""}, "This field is required"),
        ({"quantity": "system.nonsense"}, "not one of the available choices"),
        ({"window": "1"}, "greater than or equal to 2"),
        ({"machine_ids": ["nobody"]}, "not one of the available choices"),
        ({"instance_pattern": "sda"}, "is measured of the whole machine"),
    ],
)
def test_a_senseless_rule_is_refused_with_the_reason(alpha: Cast, changed: dict[str, Any], words: str) -> None:
    answer = alpha.client(Role.ANALYST).post("/alerts/rules/new", {**GOOD, **changed})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert rules(alpha, quantity="system.cpu_busy_percent", kind="threshold") == []


def test_an_unknown_kind_offers_thresholds(alpha: Cast) -> None:
    assert (
        'name="kind" value="threshold"' in alpha.client(Role.ANALYST).get("/alerts/rules/new?kind=x").content.decode()
    )


def test_a_rule_is_switched_and_deleted(alpha: Cast) -> None:
    rule, client = one(alpha, "Rebooted"), alpha.client(Role.ANALYST)
    client.post(f"/alerts/rules/{rule.pk}/switch")
    assert not one(alpha, "Rebooted").enabled
    client.post(f"/alerts/rules/{rule.pk}/delete")
    assert rules(alpha, name="Rebooted") == []
    assert client.post(f"/alerts/rules/{rule.pk}/delete").status_code == 404


def send_file(cast: Cast, content: bytes) -> Any:
    file = SimpleUploadedFile("rules.yaml", content)
    return cast.client(Role.ANALYST).post("/alerts/rules/import", {"file": file}, follow=True)


def test_a_downloaded_file_can_be_taken_in_again_and_at_the_other_partner(alpha: Cast, beta: Cast) -> None:
    alpha.client(Role.ANALYST).post("/alerts/rules/new", GOOD)
    answer = alpha.client(Role.VIEWER).get("/alerts/rules/export.yaml")
    assert answer["Content-Disposition"] == 'attachment; filename="alert-rules-alpha.yaml"'
    before = len(rules(alpha))
    assert f"{before} rules are taken in" in send_file(alpha, answer.content).content.decode()
    assert len(rules(alpha)) == before
    send_file(beta, answer.content)
    assert one(beta, "Hot").tags == ["prod", "web"]


@pytest.mark.parametrize(
    "content", [b"rules: 3", b"\xff\xfe", b"{", b"version: 1\nrules:\n - name: X\n   kind: nonsense\n"]
)
def test_a_bad_file_says_why_and_changes_nothing(alpha: Cast, content: bytes) -> None:
    before = len(rules(alpha))
    assert 'class="problem"' in send_file(alpha, content).content.decode()
    assert len(rules(alpha)) == before


def heat(cast: Cast, minutes: int) -> None:
    """server1's last `minutes` minutes at 99 % busy, half an hour ago, and idle since and before."""
    end = timezone.now().replace(second=0, microsecond=0)
    moments = [end - timedelta(minutes=minute) for minute in range(180)]
    idle = [1.0 if 30 <= minute < 30 + minutes else 95.0 for minute in range(180)]
    collector = cast.collector()
    with schema_context(cast.schema):
        table = Table(SYSTEM, {"timestamp": moments, "cpu_idle": idle, "cpu_iowait": [0.0] * 180})
        store.copy(store.rows_of(table, collector.pk))


def rehearse(cast: Cast, **changed: str) -> str:
    answer = cast.client(Role.ANALYST).post("/alerts/rules/rehearse", {**GOOD, "tags": "", **changed})
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_rehearsal_tells_how_often_it_would_have_fired_and_draws_it(alpha: Cast) -> None:
    heat(alpha, 60)
    text = rehearse(alpha, machine="server1")
    assert "It would have fired 1 time in 30 days." in text
    assert "It watches 1 machine." in text
    assert '<svg role="img"' in text
    assert "server1" in text
    assert rules(alpha, name="Hot") == []


def test_the_rehearsal_takes_what_the_form_says(alpha: Cast) -> None:
    heat(alpha, 60)
    assert "It would not have fired" in rehearse(alpha, machine="server1", window="120")
    assert "It watches no machine yet." in rehearse(alpha, tags="nobody")


@pytest.mark.parametrize("kind", OTHERS)
def test_every_kind_can_be_rehearsed(alpha: Cast, kind: str) -> None:
    answer = alpha.client(Role.ANALYST).post("/alerts/rules/rehearse", {"kind": kind, **OTHERS[kind]})
    assert "It would not have fired in 30 days." in answer.content.decode()


def test_a_rule_that_is_not_complete_is_not_rehearsed(alpha: Cast) -> None:
    assert "begins when the rule is complete" in rehearse(alpha, threshold="")
    assert "may not lie above the threshold" in rehearse(alpha, clear_threshold="95")
