"""`check`: one line and one exit code for each state."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from agent.config import Config
from agent.state import State
from agent.status import CRITICAL, OK, WARNING, Status, judge, read, write

NOW = 1_760_000_000.0


def well(**changes: object) -> Status:
    values: dict[str, object] = {
        "sample_seconds": 60,
        "upload_seconds": 300,
        "started": NOW - 9000,
        "last_sample": NOW - 10,
        "last_upload": NOW - 100,
        **changes,
    }
    return Status(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "code", "text"),
    [
        (None, CRITICAL, "no status"),
        (well(), OK, "last sample 10 s ago"),
        (well(last_upload=0, started=NOW - 5), OK, "no upload yet"),
        (well(last_sample=NOW - 500), CRITICAL, "not running"),
        (
            well(last_upload=NOW - 5000, last_failure="HTTP 502"),
            WARNING,
            "no upload for 5000 s, 0 batches wait: HTTP 502",
        ),
        (well(last_failure_code="AUTH_001"), CRITICAL, "refuses this machine"),
        (well(last_loss=NOW - 50, totals={"dropped_samples": 3}), WARNING, "dropped_samples 3"),
        (well(last_loss=NOW - 100_000, totals={"dropped_samples": 3}), OK, "last sample"),
        (well(unspooled_samples=2), CRITICAL, "cannot be written"),
    ],
)
def test_check_says_what_is_wrong(status: Status | None, code: int, text: str) -> None:
    judged, line = judge(status, NOW)
    assert judged == code
    assert text in line
    assert "\n" not in line


def test_a_status_is_read_back_and_a_broken_one_is_none(tmp_path: object) -> None:
    write(str(tmp_path), well(totals={"sent_rows": 4}))
    assert read(str(tmp_path)) == well(totals={"sent_rows": 4})
    with open(f"{tmp_path}/status.json", "w") as file:
        file.write("{")
    assert read(str(tmp_path)) is None


@pytest.mark.parametrize("seconds", [1, 10, 30, 60, 3600])
def test_check_is_content_as_long_as_samples_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Though the status is not written with each."""
    clock = [NOW]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    config, state = Config(sample_seconds=seconds, upload_seconds=86_400), State(str(tmp_path))
    state.begin()
    for _ in range(200):
        state.status.last_sample = state.status.last_upload = clock[0]
        state.write_if_due(config, lambda: (0, 0))
        clock[0] += seconds
        assert judge(read(str(tmp_path)))[0] == OK
