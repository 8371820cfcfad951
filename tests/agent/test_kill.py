"""kill -9 at every step of spooling and uploading: what was collected is stored, each sample once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.model import Portal, Serving

ROOT = Path(__file__).parents[2]
SAMPLES = 5
LAST_STEP = 61


def drive(tmp_path: Path, url: str, first: int, step: int, when: str) -> int:
    arguments = [str(tmp_path / "spool"), url, str(tmp_path / "notes"), str(first), str(SAMPLES), str(step), when]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.agent.killed", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, timeout=60, check=False).returncode


def rows_noted(tmp_path: Path, word: str) -> set[str]:
    lines = (tmp_path / "notes").read_text().splitlines()
    return {line.partition(" ")[2] for line in lines if line.startswith(f"{word} ")}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(1, LAST_STEP, 3))
def test_a_kill_at_any_step_loses_and_doubles_nothing(tmp_path: Path, step: int, when: str) -> None:
    check_kill(tmp_path, step, when)


@pytest.mark.parametrize("step", [5, 13])
def test_a_kill_within_a_write_loses_and_doubles_nothing(tmp_path: Path, step: int) -> None:
    check_kill(tmp_path, step, "torn")


def check_kill(tmp_path: Path, step: int, when: str) -> None:
    portal = Portal()
    with Serving(portal) as url:
        drive(tmp_path, url, 0, step, when)
        assert drive(tmp_path, url, 50, 0, when) == 0
    assert len(portal.rows) == len(set(portal.rows))
    assert rows_noted(tmp_path, "kept") <= set(portal.rows) <= rows_noted(tmp_path, "try")
    assert not list((tmp_path / "spool" / "queue").iterdir())
    assert not list((tmp_path / "spool" / "quarantine").iterdir())


def test_the_steps_that_are_tried_cover_a_whole_run(tmp_path: Path) -> None:
    with Serving(Portal()) as url:
        assert drive(tmp_path, url, 0, LAST_STEP + 60, "before") == 0
    other = tmp_path / "other"
    other.mkdir()
    with Serving(Portal()) as url:
        assert drive(other, url, 0, 40, "before") == -9
