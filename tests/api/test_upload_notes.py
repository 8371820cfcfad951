"""What an upload tells beside its samples: the inventory, and the reasons for gaps."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Role
from collectors import duties, events
from collectors.models import MachineEvent
from core.tenancy import schema_context
from tests import samples
from tests.api.test_upload import post_form, rows, seed_file
from tests.cast import MACHINE, Cast

STOPPED = {
    "kind": "agent_stopped", "since": "2026-11-20T10:00:00Z", "until": "2026-11-20T10:05:00Z", "detail": "",
}  # fmt: skip


def told(cast: Cast) -> list[tuple[str, str, str, str]]:
    with schema_context(cast.schema):
        return [
            (one.kind, f"{one.since:%H:%M}", f"{one.until:%H:%M}", one.detail) for one in MachineEvent.objects.all()
        ]


def send(cast: Cast, **notes: Any) -> Any:
    texts: dict[str, Any] = {name: note if isinstance(note, str) else json.dumps(note) for name, note in notes.items()}
    return post_form(cast, file=seed_file(), **texts)


def test_the_inventory_is_kept_and_replaced(alpha: Cast) -> None:
    assert send(alpha, inventory={"kernel": "6.1", "interfaces": [{"name": "eth0"}]}).status_code == 201
    assert alpha.collector().inventory == {"kernel": "6.1", "interfaces": [{"name": "eth0"}]}
    answer = send(alpha, inventory={"kernel": "6.2"})
    assert answer.status_code == 200  # the batch was there already; what it tells is news
    assert alpha.collector().inventory == {"kernel": "6.2"}
    send(alpha)
    assert alpha.collector().inventory == {"kernel": "6.2"}


def test_an_event_that_comes_twice_is_one_and_one_that_went_on_is_prolonged(alpha: Cast) -> None:
    assert send(alpha, events=[STOPPED, STOPPED]).json()["warnings"] == send(alpha).json()["warnings"]
    send(alpha, events=[{**STOPPED, "until": "2026-11-20T10:30:00Z"}])
    send(alpha, events=[STOPPED])
    assert told(alpha) == [("agent_stopped", "10:00", "10:30", "")]


def test_what_tells_nothing_good_is_a_warning_and_the_samples_are_stored(alpha: Cast) -> None:
    events = [
        STOPPED, "x", {"kind": "A b"}, {**STOPPED, "since": "2026-11-21T00:00:00Z"}, {**STOPPED, "detail": 3},
        {**STOPPED, "until": "2099-01-01T00:00:00Z"}, {**STOPPED, "since": "yesterday"},
    ]  # fmt: skip
    answer = send(alpha, inventory="[1]", events=events)
    assert answer.status_code == 201
    warnings = answer.json()["warnings"]
    assert "The inventory was left out: it is not a JSON object." in warnings
    assert any(line.startswith("6 events were left out") for line in warnings)
    assert len(rows(alpha)) == 3
    assert told(alpha) == [("agent_stopped", "10:00", "10:05", "")]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a": NaN}', '{"a": 1e999}', "{", "[" * 100_000, "null",
        json.dumps({"a": "x" * 65_536}),
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_an_inventory_that_cannot_be_kept_costs_no_samples(alpha: Cast, text: str) -> None:
    answer = send(alpha, inventory=text)
    assert answer.status_code == 201
    assert any("inventory was left out" in line for line in answer.json()["warnings"])
    assert alpha.collector().inventory == {}
    assert len(rows(alpha)) == 3


def test_events_beyond_the_bound_are_left_out_and_counted(alpha: Cast) -> None:
    many = [{**STOPPED, "detail": str(number)} for number in range(events.EVENTS + 5)]
    assert "5 events were left out: an upload has at most 200." in send(alpha, events=many).json()["warnings"]
    assert len(told(alpha)) == events.EVENTS


def test_a_refused_upload_tells_nothing(alpha: Cast) -> None:
    assert post_form(alpha, file=b"timestamp,cpu_user\nx,1\n", events=json.dumps([STOPPED])).status_code == 400
    assert told(alpha) == []


def test_the_events_of_a_period_are_read_back_and_no_other_tenants(alpha: Cast, beta: Cast) -> None:
    send(alpha, events=[STOPPED, {**STOPPED, "kind": "suspended", "since": "2026-11-20T09:00:00Z",
                                  "until": "2026-11-20T09:30:00Z"}])  # fmt: skip
    url = f"/api/v1/collectors/{MACHINE}/events?start=2026-11-20T10:05:00Z&end=2026-11-20T11:00:00Z"
    assert alpha.machine_client().get(url).status_code == 403
    found = alpha.client(Role.VIEWER).get(url).json()
    assert found == {"machine_id": MACHINE, "events": [STOPPED]}
    assert beta.client(Role.VIEWER).get(url).json()["events"] == []
    assert alpha.client(Role.VIEWER).get(url.replace("start=2026", "start=2027")).status_code == 400


def test_old_events_go_when_the_roll_ups_go(alpha: Cast) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=alpha.partner.rollup_retention_days + 2)
    with schema_context(alpha.schema):
        for since in (old, samples.recent()):
            MachineEvent.objects.create(
                collector=alpha.collector(), kind="suspended", since=since, until=since, received_at=now
            )
        assert duties.trim_events(alpha.partner, now, lambda: False) == "1 old events"
        assert MachineEvent.objects.count() == 1
