"""The zipapp: the same bytes twice, and it runs alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from agent import __version__
from agent.build import build


def test_two_builds_are_the_same_bytes(tmp_path: Path) -> None:
    build(tmp_path / "a.pyz")
    os.utime(Path(__file__).parents[2] / "agent" / "build.py")
    build(tmp_path / "b.pyz")
    assert (tmp_path / "a.pyz").read_bytes() == (tmp_path / "b.pyz").read_bytes()


def test_it_runs_without_the_repository(tmp_path: Path) -> None:
    build(tmp_path / "perfagent.pyz")
    command = [sys.executable, "-I", str(tmp_path / "perfagent.pyz")]
    version = subprocess.run([*command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert version.stdout == f"perfagent {__version__}\n"
    dry = subprocess.run([*command, "once", "--dry-run"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "timestamp,machine_id,cpu_user" in dry.stdout
