"""The service while the disk refuses: samples wait in memory, in order, and every loss is counted."""

from __future__ import annotations

import errno
from typing import Any

import pytest
from agent import service
from agent.config import Config
from agent.service import Service


@pytest.fixture
def running(spool_dir: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(service, "MAX_UNSPOOLED_SAMPLES", 3)
    config = Config(spool_dir=spool_dir)
    started = Service(config, lambda: config)
    started._spool.open()
    yield started
    started._spool.close()


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def row(number: int) -> dict[str, list[str]]:
    return {"system": [str(number)]}


def test_samples_wait_in_memory_and_follow_in_order(running: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(running._spool, "append", full)
        running.keep(row(1))
        running.keep(row(2))
    assert running.state.status.unspooled_samples == 2
    running.keep(row(3))
    running._spool.seal()
    batch = running._spool.load(running._spool.batches()[0])
    assert [record.lines["system"] for record in batch.records] == [["1"], ["2"], ["3"]]
    assert running.state.status.totals == {}


def test_samples_beyond_the_memory_bound_are_dropped_and_counted(
    running: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running._spool, "append", full)
    for number in range(5):
        running.keep(row(number))
    assert running.state.status.totals == {"unspooled_samples_dropped": 2}
    assert running.state.status.last_loss > 0


def test_samples_that_the_disk_refuses_are_told_and_stored_once(
    running: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        running.keep(row(1))
        running.keep(row(2))
    assert running.state.status.unspooled_samples == 2
    assert "2 samples in memory" in caplog.text
    running.keep(row(3))
    assert running.state.status.unspooled_samples == 0
    running._spool.seal()
    batch = running._spool.load(running._spool.batches()[0])
    assert [record.lines["system"] for record in batch.records] == [["1"], ["2"], ["3"]]
