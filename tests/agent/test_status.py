"""`check`: one line and one exit code for each state."""

from __future__ import annotations

import pytest
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
