"""Annotations over the API: made by people and pipelines, listed with reboots, deleted, audited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django_tenants.utils import schema_context

from accounts.models import AuditEvent, Role
from analysis.models import Annotation
from collectors import registry
from collectors.models import MachineEvent
from tests.cast import MACHINE, Cast

BASE = "/api/v1/annotations"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = {"start": "2026-01-05T00:00:00Z", "end": "2026-01-06T00:00:00Z"}


def make(cast: Cast, **order: Any) -> Any:
    return cast.client(Role.ANALYST).post(BASE, {"text": "web 2.4.1", **order}, content_type="application/json")


def listed(cast: Cast, **query: str) -> list[dict[str, Any]]:
    answer = cast.client(Role.VIEWER).get(BASE, {**DAY, **query})
    assert answer.status_code == 200, answer.content
    return list(answer.json()["annotations"])


def test_a_deploy_is_noted_listed_deleted_and_audited(alpha: Cast) -> None:
    made = make(alpha, kind="deploy", at=NOON.isoformat(), machine_id=MACHINE)
    assert made.status_code == 201
    (found,) = listed(alpha, machine_id=MACHINE)
    assert found == made.json()
    assert (found["kind"], found["text"], found["created_by"]) == ("deploy", "web 2.4.1", "analyst@alpha.example")
    assert found["at"] == "2026-01-05T12:00:00Z"
    assert alpha.client(Role.ADMIN).delete(f"{BASE}/{found['id']}").status_code == 204
    assert listed(alpha) == []
    with schema_context(alpha.schema):
        events = AuditEvent.objects.filter(event__startswith="annotation.").order_by("id")
        assert [(one.event, one.user, one.machine_id) for one in events] == [
            ("annotation.made", "analyst@alpha.example", MACHINE),
            ("annotation.deleted", "admin@alpha.example", MACHINE),
        ]


def test_without_a_time_it_is_now_and_without_a_machine_it_is_all(alpha: Cast) -> None:
    before = datetime.now(UTC)
    found = make(alpha).json()
    assert before <= datetime.fromisoformat(found["at"]) <= datetime.now(UTC)
    assert (found["machine_id"], found["kind"], found["until"]) == ("", "note", None)


def test_a_machines_list_has_its_own_and_those_of_all_machines(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        registry.register("other", "", actor="test", ip=None)
    for text, machine_id in (("own", MACHINE), ("everybody's", ""), ("another's", "other")):
        make(alpha, text=text, machine_id=machine_id, at=NOON.isoformat())
    assert {one["text"] for one in listed(alpha, machine_id=MACHINE)} == {"own", "everybody's"}
    assert len(listed(alpha)) == 3


def test_reboots_come_by_themselves(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        for kind in ("host_down", "agent_stopped"):
            MachineEvent.objects.create(
                collector=alpha.collector(), kind=kind, since=NOON, until=NOON + timedelta(minutes=3),
                detail="the machine was rebooted", received_at=NOON,
            )  # fmt: skip
    (found,) = listed(alpha, machine_id=MACHINE)
    assert (found["kind"], found["id"], found["at"]) == ("reboot", "", "2026-01-05T12:03:00Z")


@pytest.mark.parametrize(("minute", "count"), [(1, 1), (59, 2)])
def test_a_reboot_that_agent_and_portal_noticed_is_one(minute: int, count: int, alpha: Cast) -> None:
    with schema_context(alpha.schema):
        for kind, first, last in (("host_down", 0, 3), ("rebooted", minute, minute)):
            MachineEvent.objects.create(
                collector=alpha.collector(), kind=kind, since=NOON + timedelta(minutes=first),
                until=NOON + timedelta(minutes=last), detail="", received_at=NOON,
            )  # fmt: skip
    assert len(listed(alpha, machine_id=MACHINE)) == count


def test_what_lasted_into_the_period_is_in_it(alpha: Cast) -> None:
    make(alpha, at="2026-01-04T23:00:00Z", until="2026-01-05T01:00:00Z", kind="incident")
    make(alpha, at="2026-01-04T22:00:00Z", until="2026-01-04T23:00:00Z", kind="incident")
    assert [one["at"] for one in listed(alpha)] == ["2026-01-04T23:00:00Z"]


@pytest.mark.parametrize(
    ("order", "status", "code"),
    [
        ({"text": ""}, 400, "REQUEST_003"),
        ({"text": " \n "}, 400, "REQUEST_003"),
        ({"text": "x" * 301}, 400, "REQUEST_003"),
        ({"text": "a\u0000b"}, 400, "REQUEST_003"),
        ({"kind": "reboot"}, 400, "REQUEST_003"),
        ({"at": "yesterday"}, 400, "REQUEST_003"),
        ({"at": "9999-01-01T00:00:00Z"}, 400, "REQUEST_003"),
        ({"at": NOON.isoformat(), "until": "2026-01-05T11:00:00Z"}, 400, "REQUEST_003"),
        ({"machine_id": "nobody"}, 404, "COLLECTOR_001"),
    ],
)
def test_a_bad_note_is_refused_with_a_reason(order: dict[str, Any], status: int, code: str, alpha: Cast) -> None:
    answer = make(alpha, **order)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_lines_become_one_line(alpha: Cast) -> None:
    assert make(alpha, text="web\r\n2.4.1\t now ").json()["text"] == "web 2.4.1 now"


def test_another_tenants_note_is_unknown(alpha: Cast, beta: Cast) -> None:
    made = make(alpha, at=NOON.isoformat()).json()
    answer = beta.client(Role.ADMIN).delete(f"{BASE}/{made['id']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "ANNOTATION_001")
    assert listed(beta) == []
    with schema_context(alpha.schema):
        assert Annotation.objects.count() == 1


def test_the_list_takes_two_queries_however_long(alpha: Cast, django_assert_max_num_queries: Any) -> None:
    for number in range(5):
        make(alpha, text=str(number), at=NOON.isoformat(), machine_id=MACHINE)
    client = alpha.client(Role.VIEWER)
    with django_assert_max_num_queries(9):
        assert len(client.get(BASE, DAY).json()["annotations"]) == 5
