"""The main job, end to end: /proc → spool → upload → table → export → report, all real."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.batch import decode
from core.catalogue import DATASETS, SYSTEM
from tests.live.portal import ROOT, RunningPortal

pytestmark = pytest.mark.live


def agent(portal: RunningPortal, spool: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PERFAGENT_URL": portal.url("alpha"),
        "PERFAGENT_KEY": portal.keys["alpha"],
        "PERFAGENT_MACHINE_ID": "server1",
        "PERFAGENT_SPOOL_DIR": str(spool),
    }
    done = [sys.executable, "-m", "agent", *command]
    return subprocess.run(done, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def export(portal: RunningPortal, cookie: str, dataset: str) -> bytes:
    today, tomorrow = (datetime.now(UTC) + timedelta(days=day) for day in (-1, 1))
    query = f"start_date={today:%Y-%m-%d}&end_date={tomorrow:%Y-%m-%d}&machine_id=server1&dataset={dataset}"
    answer = portal.request("alpha", "GET", f"/api/v1/performance/export?{query}", headers={"Cookie": cookie})
    assert answer.status == 200, answer.body
    return answer.body


def test_this_hosts_proc_ends_up_in_a_report(portal: RunningPortal, tmp_path: Path) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=1)
    for _ in range(3):
        done = agent(portal, tmp_path / "spool", "once")
        assert done.returncode == 0, done.stderr
    cookie = portal.sign_in("alpha", "analyst")
    exported = export(portal, cookie, "system")
    table = decode(SYSTEM, exported).table
    mine = [index for index, moment in enumerate(table.columns["timestamp"]) if moment >= begun]
    assert len(mine) == 3
    shares = ("cpu_user", "cpu_nice", "cpu_system", "cpu_irq", "cpu_iowait", "cpu_steal", "cpu_idle")
    for index in mine:
        assert sum(table.columns[name][index] for name in shares) == pytest.approx(100, abs=0.01)
        total, available = table.columns["mem_total_mb"][index], table.columns["mem_available_mb"][index]
        assert table.columns["mem_used_mb"][index] == pytest.approx(total - available, abs=1)
    assert set(decode(DATASETS["interfaces"], export(portal, cookie, "interfaces")).table.columns["interface"])

    source, html, pdf = (tmp_path / name for name in ("export.csv", "out.html", "out.pdf"))
    source.write_bytes(exported)
    command = [sys.executable, "-m", "reports", str(source), "--html", str(html), "--pdf", str(pdf)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr
    text = html.read_text()
    assert pdf.read_bytes().startswith(b"%PDF")
    for section in ("Executive summary", "CPU", "Memory", "Disk I/O", "Network", "Recommendations"):
        assert section in text
    assert "server1" in text


def test_a_dry_run_sends_nothing_and_shows_what_it_would(portal: RunningPortal, tmp_path: Path) -> None:
    shown = agent(portal, tmp_path / "spool", "once", "--dry-run")
    assert shown.returncode == 0
    assert "cpu_user" in shown.stdout
    assert portal.keys["alpha"] not in shown.stdout + shown.stderr


def test_the_real_agent_measures_and_uploads_until_it_is_told_to_stop(portal: RunningPortal, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PERFAGENT_URL": portal.url("beta"),
        "PERFAGENT_KEY": portal.keys["beta"],
        "PERFAGENT_MACHINE_ID": "server1",
        "PERFAGENT_SPOOL_DIR": str(tmp_path / "spool"),
        "PERFAGENT_SAMPLE_SECONDS": "1",
        "PERFAGENT_UPLOAD_SECONDS": "2",
    }
    with (tmp_path / "agent.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "agent", "run"], cwd=ROOT, env=environment, stderr=log)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(6)
        process.terminate()
        assert process.wait(20) == 0, (tmp_path / "agent.log").read_text()
    cookie = portal.sign_in("beta", "admin")
    query = f"start_date={datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}&end_date={datetime.now(UTC):%Y-%m-%d}"
    answer = portal.request("beta", "GET", f"/api/v1/performance/export?{query}", headers={"Cookie": cookie})
    assert len(decode(SYSTEM, answer.body).table) >= 4
    assert not list((tmp_path / "spool").glob("*.batch")), "every sample was sent at the end"
