"""Why there is a gap: recorded, told to the portal once, kept through a restart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent import events
from agent.clocks import Instant
from agent.config import Config
from agent.reading import Reading
from agent.sample import Gap
from agent.state import State

NOW = 1_760_000_000.0
READING = Reading(Instant(NOW, 100.0, 100.0), "boot-1")
WELL = {
    **dict.fromkeys(("sent_batches", "sent_samples", "sent_rows", "refused_batches", "refused_samples"), 0),
    "noted": True,
    "inventory": "abc",
    "failure": "",
    "code": "",
}


@pytest.fixture
def state(tmp_path: Any) -> State:
    begun = State(str(tmp_path))
    begun.begin()
    return begun


def after(state: State, seconds: float, boot_id: str = "boot-1") -> Reading:
    """A service that sampled at NOW, was away, and starts again."""
    state.status.last_sample, state.status.boot_id = NOW, "boot-1"
    new = READING._replace(instant=Instant(NOW + seconds, 100 + seconds, 100 + seconds), boot_id=boot_id)
    state.note_start(new, 0.0, 60)
    return new


def kinds(state: State) -> list[str]:
    return [event["kind"] for event in state.status.events]


def test_a_first_start_is_no_gap(state: State) -> None:
    state.note_start(READING, 0.0, 60)
    assert kinds(state) == []


def test_a_quick_restart_is_no_gap(state: State) -> None:
    after(state, 100)
    assert kinds(state) == []


def test_an_agent_that_was_stopped_says_from_when_to_when(state: State) -> None:
    after(state, 600)
    (event,) = state.status.events
    assert (event["kind"], event["since"], event["until"]) == (
        "agent_stopped",
        "2025-10-09T08:53:20Z",
        "2025-10-09T09:03:20Z",
    )


def test_another_boot_id_means_that_the_host_was_down(state: State) -> None:
    after(state, 600, "boot-2")
    assert kinds(state) == ["host_down"]
    assert state.status.boot_id == "boot-2"


def test_the_newest_spooled_sample_counts_where_the_status_is_older(state: State) -> None:
    state.status.last_sample, state.status.boot_id = NOW - 600, "boot-1"
    state.note_start(READING, NOW - 70, 60)
    assert kinds(state) == []


@pytest.mark.parametrize("kind", ["suspended", "clock_set", "late"])
def test_a_gap_between_samples_is_an_event(state: State, kind: str) -> None:
    state.note_sample(READING, Gap(kind, "why"))
    assert kinds(state) == [kind]
    assert state.status.last_gap == "why"


def test_drops_of_one_outage_are_one_event(state: State) -> None:
    state.lose("dropped_samples", 3)
    state.lose("dropped_samples", 4)
    assert kinds(state) == ["samples_dropped"]
    assert state.status.totals == {"dropped_samples": 7}


def test_an_event_is_told_once_and_only_when_it_was_stored(state: State) -> None:
    after(state, 600)
    notes = state.notes()
    assert [event["kind"] for event in json.loads(notes["events"])] == ["agent_stopped"]
    state.note_drain({**WELL, "noted": False}, notes)
    assert state.notes() == notes
    state.note_drain(WELL, notes)
    assert state.notes() == {}
    assert state.status.inventory == "abc"


def test_an_event_that_came_while_another_was_under_way_is_still_to_be_told(state: State) -> None:
    after(state, 600)
    notes = state.notes()
    state.note_sample(READING, Gap("late", "why"))
    state.note_drain(WELL, notes)
    assert [event["kind"] for event in json.loads(state.notes()["events"])] == ["late"]


def test_events_outlive_a_restart_and_are_bounded(state: State, tmp_path: Any) -> None:
    for number in range(events.MAX_EVENTS + 20):
        state.note_sample(READING, Gap("late", f"gap {number}"))
    state.write_if_due(Config(), lambda: (0, 0))
    again = State(str(tmp_path))
    again.begin()
    assert len(again.status.events) == events.MAX_EVENTS
    assert again.status.events[-1]["detail"] == f"gap {events.MAX_EVENTS + 19}"


def test_the_status_is_written_on_news_and_as_a_sign_of_life_only(state: State, monkeypatch: Any) -> None:
    written: list[int] = []

    def usage() -> tuple[int, int]:
        written.append(1)
        return 0, 0

    state.write_if_due(Config(), usage)
    state.note_sample(READING, None)
    state.write_if_due(Config(), usage)
    assert len(written) == 1
    monkeypatch.setattr("agent.state.sign_of_life_seconds", lambda _: 0.0)
    state.write_if_due(Config(), usage)
    assert len(written) == 2
