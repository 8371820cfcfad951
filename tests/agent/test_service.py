"""The real program: `run`, `once`, `check`, `enrol`, its signals, and kills at random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent import __version__, status

from tests.agent.model import Portal, Serving, refusal

ROOT = Path(__file__).parents[2]
KEY = "pfa_test_secret"


class Agent:
    """Starts the command in its own process group, with a spool and settings of its own."""

    def __init__(self, tmp_path: Path, url: str) -> None:
        self.spool = tmp_path / "spool"
        self.log = tmp_path / "log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PERFAGENT_")},
            "PERFAGENT_CONFIG": str(tmp_path / "agent.conf"),
            "PERFAGENT_URL": url,
            "PERFAGENT_KEY": KEY,
            "PERFAGENT_MACHINE_ID": "m",
            "PERFAGENT_SPOOL_DIR": str(self.spool),
            "PERFAGENT_SAMPLE_SECONDS": "0.2",
            "PERFAGENT_UPLOAD_SECONDS": "0.2",
        }
        (tmp_path / "agent.conf").touch()

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.agent.hurried", *arguments],
                cwd=ROOT,
                env=self.environment,
                stderr=log,
                start_new_session=True,
            )

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.agent.hurried", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def portal() -> Portal:
    return Portal()


@pytest.fixture
def agent(tmp_path: Path, portal: Portal) -> Iterator[Agent]:
    with Serving(portal) as url:
        yield Agent(tmp_path, url)


def wait_for(happened: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def timestamps(portal: Portal) -> list[str]:
    return [row.partition(",")[0] for row in portal.rows]


def test_run_uploads_its_first_sample_at_once_and_with_rates(agent: Agent, portal: Portal) -> None:
    agent.environment["PERFAGENT_UPLOAD_SECONDS"] = "300"
    process = agent.start("run")
    try:
        wait_for(lambda: portal.rows, 10)
    finally:
        process.terminate()
        assert process.wait(15) == 0
    assert portal.rows[0].split(",")[2] != "", "cpu_user of the first sample"


def test_openssl_is_in_the_memory_of_the_upload_process_only(agent: Agent, portal: Portal) -> None:
    process = agent.start("run")
    try:
        wait_for(lambda: (status.read(str(agent.spool)) or status.Status()).totals.get("sent_samples"))
        maps = Path(f"/proc/{process.pid}/maps").read_text()
    finally:
        process.terminate()
        assert process.wait(15) == 0
    assert "libpython" in maps or "python3" in maps
    assert not [line for line in maps.splitlines() if "_ssl" in line or "libssl" in line or "libcrypto" in line]


def test_sigterm_uploads_what_is_left_and_exits_with_0(agent: Agent, portal: Portal) -> None:
    agent.environment["PERFAGENT_UPLOAD_SECONDS"] = "300"
    process = agent.start("run")
    wait_for(lambda: (status.read(str(agent.spool)) or status.Status()).totals.get("sent_samples"))
    before = len(portal.rows)
    time.sleep(0.5)
    process.terminate()
    assert process.wait(15) == 0
    assert len(portal.rows) > before
    assert os.listdir(agent.spool / "queue") == []
    assert KEY not in agent.log.read_text()


def test_kills_at_random_moments_store_each_sample_once(agent: Agent, portal: Portal) -> None:
    chance = random.Random(7)
    for _ in range(4):
        process = agent.start("run")
        time.sleep(chance.uniform(0.4, 1.2))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert agent.call("once").returncode == 0
    assert len(timestamps(portal)) == len(set(timestamps(portal))) >= 3
    assert os.listdir(agent.spool / "queue") == []
    assert os.listdir(agent.spool / "quarantine") == []


def test_sighup_reloads_the_settings_and_a_wrong_one_changes_nothing(agent: Agent, portal: Portal) -> None:
    settings = Path(agent.environment["PERFAGENT_CONFIG"])
    settings.write_text(f"url = {agent.environment.pop('PERFAGENT_URL')}\nkey = pfa_old_key\n")
    agent.environment.pop("PERFAGENT_KEY")
    process = agent.start("run")
    try:
        wait_for(lambda: portal.rows)
        good = settings.read_text()
        settings.write_text("key = \x01\n")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: "not reloaded" in agent.log.read_text())
        settings.write_text(good.replace("pfa_old_key", "pfa_new_key"))
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: portal.requests[-1]["Authorization"] == "Bearer pfa_new_key")
    finally:
        process.terminate()
        assert process.wait(15) == 0


def test_a_refused_key_keeps_everything_and_turns_the_check_critical(agent: Agent, portal: Portal) -> None:
    portal.intercept = lambda *_: refusal(401, "AUTH_001")
    process = agent.start("run")
    try:
        wait_for(lambda: (status.read(str(agent.spool)) or status.Status()).last_failure_code)
    finally:
        process.terminate()
        process.wait(15)
    result = agent.call("check")
    assert result.returncode == 2
    assert "the portal refuses this machine" in result.stdout
    assert list((agent.spool / "queue").iterdir())


def test_check_is_ok_after_a_run(agent: Agent, portal: Portal) -> None:
    process = agent.start("run")
    wait_for(lambda: (status.read(str(agent.spool)) or status.Status()).last_upload)
    result = agent.call("check")
    process.terminate()
    process.wait(15)
    assert (result.returncode, result.stdout[:4]) == (0, "OK -")


def test_once_sends_and_says_so(agent: Agent, portal: Portal) -> None:
    result = agent.call("once")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Sent ")
    assert len(portal.rows) == 1


def test_once_beside_a_running_agent_is_turned_away(agent: Agent, portal: Portal) -> None:
    process = agent.start("run")
    wait_for(lambda: portal.rows)
    result = agent.call("once")
    process.terminate()
    process.wait(15)
    assert result.returncode == 2
    assert "in use by another agent" in result.stderr


def test_dry_run_prints_what_would_be_sent_without_the_key(agent: Agent, portal: Portal) -> None:
    result = agent.call("once", "--dry-run")
    assert result.returncode == 0
    assert "POST http" in result.stdout
    assert "timestamp,machine_id,cpu_user" in result.stdout
    assert KEY not in result.stdout + result.stderr
    assert portal.requests == []
    assert not agent.spool.exists()


def test_a_wrong_setting_is_one_sentence_and_exit_code_2(agent: Agent) -> None:
    agent.environment["PERFAGENT_SAMPLE_SECONDS"] = "often"
    result = agent.call("run")
    assert result.returncode == 2
    sentence = "perfagent: PERFAGENT_SAMPLE_SECONDS must be a number from 0.05 to 3600, not 'often'.\n"
    assert result.stderr == sentence


def test_enrol_writes_the_settings_for_the_owner_only(agent: Agent, portal: Portal) -> None:
    answer = json.dumps({"machine_id": "web1", "api_key": "pfa_fresh_key"}).encode()
    portal.receive = lambda headers, body: (portal.requests.append(headers), (201, {}, answer))[1]  # type: ignore
    result = agent.call("enrol", agent.environment["PERFAGENT_URL"], "pfe_enrolment_token")
    assert result.returncode == 0, result.stderr
    assert portal.requests[0]["Authorization"] == "Bearer pfe_enrolment_token"
    path = Path(agent.environment["PERFAGENT_CONFIG"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert "key = pfa_fresh_key\n" in path.read_text()
    assert "machine_id = web1\n" in path.read_text()
    assert "pfa_fresh_key" not in result.stdout + result.stderr


def test_enrol_that_is_refused_says_why_and_writes_nothing(agent: Agent, portal: Portal) -> None:
    portal.receive = lambda headers, body: refusal(401, "AUTH_001")  # type: ignore
    result = agent.call("enrol", agent.environment["PERFAGENT_URL"], "pfe_enrolment_token")
    assert result.returncode == 1
    assert "AUTH_001" in result.stderr
    assert "pfe_enrolment_token" not in result.stderr
    assert Path(agent.environment["PERFAGENT_CONFIG"]).read_text() == ""


def test_the_version_is_printed(agent: Agent) -> None:
    assert agent.call("--version").stdout == f"perfagent {__version__}\n"
