"""Every gap has its reason: from the events of the machines, as CSV or JSON, and whole periods without samples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from reports import build, events, table
from reports.document import Document, Table
from reports.events import Event
from reports.reading import ExportError
from reports.statistics import Coverage, Gap, cover
from reports.wording import Clock
from tests.reports import machines
from tests.reports.machines import WriteExport

HOUR = 3_600_000
HEADER = "machine_id,kind,since,until,detail\n"


def explained(*told: tuple[str, int, int]) -> str:
    """The reason of a gap from hour 10 to hour 20."""
    coverage = Coverage(1, 1, 60_000, 0, 24 * HOUR, (Gap(10 * HOUR, 20 * HOUR),))
    happened = [Event(kind, since * HOUR, until * HOUR, "") for kind, since, until in told]
    return events.explain(coverage, happened).gaps[0].reason


def test_a_gap_is_explained_by_the_event_that_covers_most_of_it() -> None:
    assert explained() == "unknown"
    assert explained(("host_down", 10, 20)) == "host down"
    assert explained(("agent_stopped", 9, 12), ("host_down", 12, 21)) == "host down"
    assert explained(("agent_stopped", 5, 30), ("suspended", 10, 20)) == "suspended"


def test_an_event_that_only_borders_on_a_gap_explains_nothing() -> None:
    assert explained(("host_down", 2, 10), ("agent_stopped", 20, 22)) == "unknown"


def test_a_moment_inside_a_gap_explains_it_where_nothing_longer_does() -> None:
    assert explained(("clock_set", 15, 15)) == "clock set"
    assert explained(("clock_set", 15, 15), ("suspended", 11, 19)) == "suspended"


def test_an_unknown_kind_is_told_by_its_name_and_detail() -> None:
    assert Event("power_lost", 0, 1, "by \u202ethe rack").words == "power lost: by \\u202ethe rack"


def report(write: WriteExport, clock: Clock, *told: Path, period: tuple[int, int] | None = None) -> Document:
    columns = machines.gap(machines.healthy(days=2, interval=300), 100, 150)
    return build.build(table.read([write({"web-01": columns}), *told], period), clock)


CSV = f"{HEADER}web-01,host_down,2026-01-05T08:15:00Z,2026-01-05T12:30:00Z,'=rebooted\n"
JSON = {
    "machine_id": "web-01",
    "events": [
        {"kind": "host_down", "since": "2026-01-05T08:15:00Z", "until": "2026-01-05T12:30:00Z", "detail": "=rebooted"}
    ],
}


@pytest.mark.parametrize(
    ("name", "text"), [("e.csv", CSV), ("e.json", json.dumps(JSON)), ("e.json", json.dumps([JSON]))]
)
def test_the_first_page_and_the_table_of_gaps_tell_the_reason(
    write: WriteExport, clock: Clock, tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8-sig")
    document = report(write, clock, path)
    assert "(4 h 15 min, host down: =rebooted)" in dict(document.facts)["Gaps"]
    rows = [block.rows for block in document.blocks() if isinstance(block, Table) and "Gaps" in block.title]
    assert rows == [(("web-01", "2026-01-05 09:15", "2026-01-05 13:30", "4 h 15 min", "host down: =rebooted"),)]


def test_events_of_another_machine_explain_nothing(write: WriteExport, clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text(CSV.replace("web-01", "web-02"))
    assert "reason unknown" in dict(report(write, clock, path).facts)["Gaps"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEADER}web-01,host_down,yesterday,2026-01-05T12:30:00Z,\n", "event 1: since"),
        (f"{HEADER}web-01,host_down,2026-01-05T12:30:00Z,2026-01-05T08:15:00Z,\n", "event 1 ends before it begins"),
        (f"{HEADER},host_down,2026-01-05T08:15:00Z,2026-01-05T12:30:00Z,\n", "event 1 has no machine_id"),
        ('{"machine_id": "a"}', "no list `events`"),
        ("[1]", "no list `events`"),
        ("{", "holds no events"),
        (f'{HEADER}web-01,"host', "holds no events"),
    ],
)
def test_a_bad_file_of_events_is_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "events.csv"
    path.write_text(text)
    assert events.are_in(path)
    with pytest.raises(ExportError, match=words):
        events.read(path)


def test_an_export_of_samples_is_not_taken_for_events(write: WriteExport) -> None:
    assert not events.are_in(write({"web-01": machines.healthy(days=0.1)}))


def test_what_a_period_lacks_at_its_ends_is_a_gap_and_counts_as_not_seen() -> None:
    times = np.arange(100, 200, dtype=np.int64) * 60_000
    found = cover(times, (0, 400 * 60_000))
    assert [(gap.start, gap.end) for gap in found.gaps] == [(0, 6_000_000), (11_940_000, 24_000_000)]
    assert (found.seen, found.expected) == (100, 401)
    assert cover(times, (98 * 60_000, 205 * 60_000)).gaps == ()  # the newest may still be under way
    assert cover(times, (98 * 60_000, 205 * 60_000)).share == 1


def test_a_period_is_told_whole_with_the_machine_that_ended_early(write: WriteExport, clock: Clock) -> None:
    start = machines.START * 1000
    document = report(write, clock, period=(start, start + 7 * 24 * HOUR))
    facts = dict(document.facts)
    assert facts["Period"].endswith("2026-01-12 01:00 (7 d)")
    assert "5 d 0 h" in facts["Gaps"] or "5 d" in facts["Gaps"]
    assert facts["Coverage"].startswith("26.1 %")
