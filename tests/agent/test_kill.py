"""kill -9 at every step of spooling and uploading: what was collected is stored, each sample once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.agent.model import Portal, Serving

ROOT = Path(__file__).parents[2]
SAMPLES = 5
LAST_STEP = 39
"""The first that a whole run does not reach."""
Live = Callable[..., int]


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    """One life of the agent, a fork of one process that has it loaded; its exit code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.agent.killed"]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, env=environment, cwd=ROOT, **pipes) as process:

        def order(folder: Path, url: str, first: int, step: int, when: str) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            arguments = [str(folder / "spool"), url, str(folder / "notes"), first, SAMPLES, step, when]
            process.stdin.write(json.dumps(arguments) + "\n")
            return int(process.stdout.readline())

        yield order


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    serving = Serving(Portal())
    with serving:
        yield serving


@pytest.fixture
def portal(server: Serving) -> Portal:
    return server.serve(Portal())


def rows_noted(folder: Path, word: str) -> set[str]:
    lines = (folder / "notes").read_text().splitlines()
    return {line.partition(" ")[2] for line in lines if line.startswith(f"{word} ")}


def check_kill(live: Live, server: Serving, portal: Portal, folder: Path, step: int, when: str) -> None:
    assert live(folder, server.url, 0, step, when) in (-9, 0)
    assert live(folder, server.url, 50, 0, when) == 0
    assert len(portal.rows) == len(set(portal.rows))
    assert rows_noted(folder, "kept") <= set(portal.rows) <= rows_noted(folder, "try")
    assert not list((folder / "spool" / "queue").iterdir())
    assert not list((folder / "spool" / "quarantine").iterdir())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(1, LAST_STEP))
def test_a_kill_at_any_step_loses_and_doubles_nothing(
    live: Live, server: Serving, portal: Portal, tmp_path: Path, step: int, when: str
) -> None:
    check_kill(live, server, portal, tmp_path, step, when)


@pytest.mark.parametrize("step", range(1, LAST_STEP))
def test_a_kill_within_a_write_loses_and_doubles_nothing(
    live: Live, server: Serving, portal: Portal, tmp_path: Path, step: int
) -> None:
    check_kill(live, server, portal, tmp_path, step, "torn")


def test_the_steps_that_are_tried_cover_a_whole_run(
    live: Live, server: Serving, portal: Portal, tmp_path: Path
) -> None:
    for name, step, code in (("beyond", LAST_STEP, 0), ("within", LAST_STEP - 1, -9)):
        folder = tmp_path / name
        folder.mkdir()
        assert live(folder, server.url, 0, step, "before") == code
