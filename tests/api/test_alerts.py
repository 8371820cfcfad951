"""The API of alerts, rules, silences and channels."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from accounts.models import Role
from alerts.models import Alert, AlertChange, Message, MessageKind, Rule, Silence, State
from alerts.sending import channels
from alerts.sending.models import Channel, Delivery
from core.tenancy import schema_context
from tests.cast import MACHINE, Cast
from tests.receivers import receiving

NOW = datetime.now(UTC).replace(microsecond=0)
BASE = "/api/v1/alerts"
HOT = {"name": "hot", "kind": "threshold", "quantity": "system.cpu_busy_percent", "threshold": 90}


def call(cast: Cast, method: str, path: str, body: Any = None, role: Role = Role.ADMIN, status: int = 200) -> Any:
    data = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
    kind = "application/yaml" if isinstance(body, str) else "application/json"
    answer = cast.client(role).generic(method, BASE + path, data, content_type=kind)
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content and "json" in answer.headers["Content-Type"] else answer


def alert(cast: Cast, **fields: Any) -> Alert:
    """Of a rule of its own, of the cast's machine; in the tenant's schema."""
    with schema_context(cast.schema):
        rule = Rule.objects.create(name=f"rule {Rule.objects.count()}", kind="threshold", threshold=1)
        given = {
            "rule": rule, "rule_name": rule.name, "severity": "warning", "collector": cast.collector(), "target": "x",
            "state": State.FIRING, "since": NOW, "fired_at": NOW, "evaluated_at": NOW,
        }  # fmt: skip
        return Alert.objects.create(**given | fields)


def ids(answer: Any) -> list[str]:
    return [one["id"] for one in answer["alerts"]]


def test_open_ones_are_listed_and_history_on_demand(alpha: Cast) -> None:
    firing, taken = alert(alpha), alert(alpha, state=State.ACKNOWLEDGED, severity="critical")
    over = alert(alpha, state=State.RESOLVED, resolved_at=NOW)
    alert(alpha, state=State.PENDING, fired_at=None)
    public = {name: one.public_id for name, one in (("firing", firing), ("taken", taken), ("over", over))}
    assert ids(call(alpha, "GET", "", role=Role.VIEWER)) == [public["taken"], public["firing"]]
    assert ids(call(alpha, "GET", "?state=any")) == [public["over"], public["taken"], public["firing"]]
    assert ids(call(alpha, "GET", "?state=resolved")) == [public["over"]]
    assert ids(call(alpha, "GET", "?severity=critical")) == [public["taken"]]
    assert ids(call(alpha, "GET", f"?rule={firing.rule_id}")) == [public["firing"]]
    assert ids(call(alpha, "GET", "?machine_id=nobody")) == []
    assert len(ids(call(alpha, "GET", f"?machine_id={MACHINE}"))) == 2


def test_pages_follow_each_other_without_gap_or_double(alpha: Cast) -> None:
    made = [alert(alpha).public_id for _ in range(5)]
    seen: list[str] = []
    path = "?limit=2"
    while path:
        answer = call(alpha, "GET", path)
        seen += ids(answer)
        path = f"?limit=2&before={answer['next']}" if answer["next"] else ""
    assert seen == made[::-1]


@pytest.mark.parametrize("query", ["state=pending", "severity=bad", "limit=0", "limit=501", "rule=x"])
def test_a_query_that_is_not_understood_is_refused(alpha: Cast, query: str) -> None:
    assert call(alpha, "GET", f"?{query}", status=400)["code"] == "REQUEST_003"
    assert call(alpha, "GET", "?before=unknown", status=404)["code"] == "ALERT_001"


def test_one_alert_tells_what_where_how_bad_and_every_change(alpha: Cast) -> None:
    evidence = {
        "title": "CPU busy",
        "unit": "%",
        "value": 96.7,
        "threshold": 90.0,
        "samples": 10,
        "window_seconds": 600,
    }
    made = alert(alpha, evidence=evidence, value=96.7)
    with schema_context(alpha.schema):
        AlertChange.objects.create(alert=made, what="fired", at=NOW, moment=NOW, evidence=evidence)
    told = call(alpha, "GET", f"/{made.public_id}", role=Role.VIEWER)
    assert (told["machine_id"], told["where"], told["value"], told["state"]) == (MACHINE, MACHINE, 96.7, "firing")
    assert told["sentence"] == "CPU busy: 96.7 %, limit 90 %. Mean of 10 min, 10 samples."
    assert [change["what"] for change in told["changes"]] == ["fired"]
    assert call(alpha, "GET", "/unknown", status=404)["code"] == "ALERT_001"


def test_an_alert_is_acknowledged_once_and_given_back(alpha: Cast) -> None:
    path = f"/{alert(alpha).public_id}"
    told = call(alpha, "POST", f"{path}/acknowledge", {"note": "on it"}, Role.ANALYST)
    assert (told["state"], told["acknowledged_by"]) == ("acknowledged", "analyst@alpha.example")
    assert told["changes"][-1]["note"] == "on it"
    assert call(alpha, "POST", f"{path}/acknowledge", {}, status=409)["code"] == "ALERT_003"
    assert call(alpha, "POST", f"{path}/withdraw", {})["state"] == "firing"
    assert call(alpha, "POST", f"{path}/withdraw", {}, status=409)["code"] == "ALERT_003"
    assert call(alpha, "POST", f"{path}/acknowledge", {"note": "x" * 501}, status=400)["code"] == "REQUEST_003"


def test_another_tenant_sees_and_changes_nothing(alpha: Cast, beta: Cast) -> None:
    made = alert(alpha)
    with schema_context(alpha.schema):
        silence = Silence.objects.create(name="move", starts_at=NOW, ends_at=NOW + timedelta(days=1))
        channel = channels.create("hook", "webhook", "https://h.example/", actor="test", ip=None).channel
    rule = alpha_only_rule(alpha)
    assert ids(call(beta, "GET", "?state=any")) == []
    for method, path, code in (
        ("GET", f"/{made.public_id}", "ALERT_001"), ("POST", f"/{made.public_id}/acknowledge", "ALERT_001"),
        ("GET", f"/rules/{rule}", "ALERT_001"), ("PATCH", f"/rules/{rule}", "ALERT_001"),
        ("DELETE", f"/rules/{rule}", "ALERT_001"), ("DELETE", f"/silences/{silence.pk}", "ALERT_001"),
        ("GET", f"/channels/{channel.public_id}", "CHANNEL_001"),
        ("DELETE", f"/channels/{channel.public_id}", "CHANNEL_001"),
        ("POST", f"/channels/{channel.public_id}/test", "CHANNEL_001"),
    ):  # fmt: skip
        assert call(beta, method, path, {}, status=404)["code"] == code
    assert "hook" not in str(call(beta, "GET", "/channels"))


def alpha_only_rule(alpha: Cast) -> int:
    """An id that beta has no rule of."""
    with schema_context(alpha.schema):
        return Rule.objects.create(pk=987_654, name="only here", kind="threshold", threshold=1).pk


def test_a_rule_is_made_changed_and_deleted(alpha: Cast) -> None:
    made = call(alpha, "POST", "/rules", HOT, Role.ANALYST, 201)
    assert (made["threshold"], made["window_seconds"], made["changed_by"]) == (90, 600, "analyst@alpha.example")
    assert made["sentence"].startswith("CPU busy at or above 90 %")
    path = f"/rules/{made['id']}"
    changed = call(alpha, "PATCH", path, {"threshold": 80, "tags": ["db"]}, Role.ANALYST)
    assert (changed["name"], changed["threshold"], changed["tags"]) == ("hot", 80, ["db"])
    assert call(alpha, "GET", path, role=Role.VIEWER) == changed
    assert changed in call(alpha, "GET", "/rules", role=Role.VIEWER)["rules"]
    call(alpha, "DELETE", path, role=Role.ANALYST, status=204)
    assert call(alpha, "GET", path, status=404)["code"] == "ALERT_001"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"threshold": None}, "threshold: A threshold is needed."),
        ({"threshold": "90"}, "threshold: It is a number."),
        ({"quantity": "no.such"}, "quantity: There is no"),
        ({"clear_threshold": 95}, "clear_threshold: The clear level"),
        ({"window_seconds": 1}, "window_seconds: The window"),
        ({"name": ""}, "name: A rule has a name."),
        ({"tags": "db"}, "tags: It is a list of words."),
        ({"machine_ids": ["a/b"]}, "machine_ids: machine_ids is a list"),
        ({"shipped": "x"}, "There is no such field: shipped."),
        ({"colour": "red"}, "There is no such field: colour."),
        ({"name": "twice"}, "name: Another rule has this name."),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_field(alpha: Cast, change: dict[str, Any], words: str) -> None:
    call(alpha, "POST", "/rules", {**HOT, "name": "twice"}, status=201)
    refused = call(alpha, "POST", "/rules", {**HOT, **change}, status=400)
    assert refused["code"] == "ALERT_002"
    assert refused["error"].startswith(words)
    assert call(alpha, "POST", "/rules", [], status=400)["code"] == "REQUEST_003"


def test_a_rule_is_rehearsed_without_being_saved(alpha: Cast) -> None:
    told = call(alpha, "POST", f"/rules/rehearse?days=7&machine_id={MACHINE}", HOT, Role.ANALYST)
    assert (told["count"], told["in_scope"], told["places"]) == (0, 1, [])
    assert call(alpha, "POST", "/rules/rehearse?days=0", HOT, status=400)["code"] == "REQUEST_003"
    with schema_context(alpha.schema):
        assert not Rule.objects.filter(name="hot").exists()


def test_rules_go_out_and_come_in_as_yaml(alpha: Cast, beta: Cast) -> None:
    call(alpha, "POST", "/rules", HOT, status=201)
    file = call(alpha, "GET", "/rules/export", role=Role.VIEWER).content.decode()
    exported = [one["name"] for one in yaml.safe_load(file)["rules"]]
    assert "hot" in exported
    taken = call(beta, "POST", "/rules/import", file, Role.ANALYST)
    assert [one["name"] for one in taken["rules"]] == exported
    assert call(beta, "GET", "/rules/export").content.decode() == file
    wrong = call(beta, "POST", "/rules/import", "version: 1\nrules: [{name: x, colour: red}]", status=400)
    assert wrong["code"] == "ALERT_002"
    assert "rules[0].colour: there is no such field." in wrong["details"]
    assert call(beta, "POST", "/rules/import", {"rules": []}, status=415)["code"] == "REQUEST_004"


def test_a_silence_is_made_and_ended(alpha: Cast) -> None:
    body = {"name": "move", "machine_ids": [MACHINE], "starts_at": (NOW - timedelta(hours=1)).isoformat(),
            "ends_at": (NOW + timedelta(hours=1)).isoformat()}  # fmt: skip
    made = call(alpha, "POST", "/silences", body, Role.ANALYST, 201)
    assert (made["holds"], made["created_by"]) == (True, "analyst@alpha.example")
    path = f"/silences/{made['id']}"
    assert call(alpha, "GET", path, role=Role.VIEWER) == made
    call(alpha, "DELETE", path, role=Role.ANALYST, status=204)
    (listed,) = call(alpha, "GET", "/silences")["silences"]
    assert not listed["holds"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ends_at": None}, "ALERT_002"), ({"recurrence": "FREQ=SECONDLY", "minutes": 5}, "ALERT_002"),
        ({"recurrence": "FREQ=WEEKLY"}, "ALERT_002"), ({"rule": 12345678}, "REQUEST_003"),
        ({"machine_ids": "x"}, "REQUEST_003"), ({"starts_at": "soon"}, "REQUEST_003"), ({"name": ""}, "REQUEST_003"),
    ],
)  # fmt: skip
def test_a_silence_that_makes_no_sense_is_refused(alpha: Cast, change: dict[str, Any], code: str) -> None:
    body = {"name": "x", "starts_at": NOW.isoformat(), "ends_at": (NOW + timedelta(hours=1)).isoformat(), **change}
    assert call(alpha, "POST", "/silences", body, status=400)["code"] == code
    with schema_context(alpha.schema):
        assert not Silence.objects.exists()


def test_a_channel_s_secrets_are_answered_once_and_its_address_never(alpha: Cast) -> None:
    body = {"name": "hook", "kind": "webhook", "address": "https://h.example/token-77", "quiet_from": "22:00",
            "quiet_until": "07:00"}  # fmt: skip
    made = call(alpha, "POST", "/channels", body, status=201)
    assert made["secret"].startswith("whsec_")
    assert made["shown_address"] == "https://h.example/…"
    path = f"/channels/{made['id']}"
    told = [call(alpha, "GET", path), call(alpha, "GET", "/channels"), call(alpha, "PATCH", path, {"name": "other"})]
    assert "whsec_" not in str(told)
    assert "token-77" not in str([made, *told])
    assert call(alpha, "POST", f"{path}/secret")["secret"] != made["secret"]
    call(alpha, "DELETE", path, status=204)
    assert call(alpha, "GET", path, status=404)["code"] == "CHANNEL_001"


def test_a_channel_that_cannot_be_is_refused(alpha: Cast) -> None:
    bad = {"name": "x", "kind": "webhook", "address": "http://h.example/"}
    assert call(alpha, "POST", "/channels", bad, status=400)["code"] == "CHANNEL_002"
    assert call(alpha, "POST", "/channels", {**bad, "kind": "pigeon"}, status=400)["code"] == "REQUEST_003"


def test_a_channel_is_tested_and_tells_what_was_sent_to_it(alpha: Cast, settings: Any) -> None:
    settings.OUTGOING_ALLOW = ["127.0.0.1/32"]
    with receiving() as receiver:
        made = call(alpha, "POST", "/channels", {"name": "h", "kind": "webhook", "address": receiver.url()}, status=201)
        assert call(alpha, "POST", f"/channels/{made['id']}/test") == {"sent": True, "reason": ""}
        receiver.statuses = [500]
        assert not call(alpha, "POST", f"/channels/{made['id']}/test")["sent"]
    about = alert(alpha)
    with schema_context(alpha.schema):
        message = Message.objects.create(
            kind=MessageKind.FIRING, group="x", severity="warning", created_at=NOW, due_at=NOW
        )
        message.alerts.add(about)
        Delivery.objects.create(message=message, channel=Channel.objects.get(name="h"), due_at=NOW, state="sent")
    (told,) = call(alpha, "GET", f"/channels/{made['id']}/deliveries")["deliveries"]
    assert (told["message_id"], told["kind"], told["state"]) == (message.key, "firing", "sent")
    assert told["alerts"] == [about.public_id]


def test_the_schema_describes_them(alpha: Cast) -> None:
    schema = alpha.client().get("/api/v1/schema").json()
    described = {path.removeprefix("/api/v1/alerts") for path in schema["paths"] if path.startswith("/api/v1/alerts")}
    assert {
        "",
        "/{alert_id}",
        "/rules",
        "/rules/rehearse",
        "/silences",
        "/channels",
        "/channels/{channel_id}/test",
    } <= described
    rule = schema["components"]["schemas"]["RuleBody"]["properties"]
    assert "threshold" in rule
    assert "shipped" not in rule


def test_lists_take_a_fixed_number_of_queries(alpha: Cast, django_assert_max_num_queries: Any) -> None:
    for _ in range(6):
        alert(alpha)
    client = alpha.client(Role.VIEWER)
    client.get(BASE)
    with django_assert_max_num_queries(8):
        assert len(client.get(BASE).json()["alerts"]) == 6
