"""`ctl`: what it asks of the API, what it prints, and its exit codes."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from agent import ctl, ctl_completion, ctl_report, ctl_table, ctl_upload
from agent.config import ConfigError
from agent.ctl_client import connect

TOKEN = "pft_0123456789abcdef_a-personal-token"
KEY = "pfa_0123456789abcdef_a-machine-key"
MACHINE = {
    "machine_id": "web-01", "hostname": "web\x1b[2J", "state": "live", "last_seen": None, "tags": ["a", "b"],
    "inventory": {"kernel": "6.1", "memory": {"total": 1}},
}  # fmt: skip


class Api:
    """Answers in order, by method and path, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        self.asked.append((method, path, headers, body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Api]:
    asked = Api()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            code, content = asked.answer(self.command, self.path, dict(self.headers), body)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.handle_any
            raise AttributeError(name)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("PERFAGENT_URL", f"http://localhost:{server.server_address[1]}")
    monkeypatch.setenv("PERFAGENT_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("PERFAGENT_TOKEN", TOKEN)
    monkeypatch.setenv("PERFAGENT_KEY", KEY)
    yield asked
    server.shutdown()
    server.server_close()


def refusal(code: str) -> dict[str, str]:
    return {"status": "error", "code": code, "error": "The portal's sentence."}


def run(*arguments: str) -> int:
    return ctl.main(list(arguments))


def test_the_list_is_a_table_and_json_for_scripts(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers = [(200, {"collectors": [MACHINE]})]
    assert run("collectors", "list") == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["MACHINE_ID", "STATE", "LAST_SEEN", "HOSTNAME", "TAGS"]
    assert row.split() == ["web-01", "live", "-", "web?[2J", "a,", "b"]
    assert run("collectors", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"collectors": [MACHINE]}
    assert api.asked[0][:2] == ("GET", "/api/v1/collectors")
    assert api.asked[0][2]["Authorization"] == f"Bearer {TOKEN}"


def test_the_list_of_one_state(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers = [(200, {"collectors": [MACHINE]})]
    assert run("collectors", "list", "--state", "silent") == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_show_prints_the_inventory_line_by_line(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers = [(200, MACHINE)]
    assert run("collectors", "show", "a/../b") == 0
    assert api.asked[0][1] == "/api/v1/collectors/a%2F..%2Fb"
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].split() == ["inventory.memory.total", "1"]


@pytest.mark.parametrize(
    ("command", "method", "path"),
    [
        ("register", "POST", "/api/v1/collectors/register"),
        ("rotate", "POST", "/api/v1/collectors/web-01/rotate-key"),
    ],
)
def test_a_key_stands_alone_on_standard_output(
    command: str, method: str, path: str, api: Api, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers = [(201, {"status": "success", "machine_id": "web-01", "api_key": KEY})]
    assert run("collectors", command, "web-01") == 0
    assert api.asked[0][:2] == (method, path)
    captured = capsys.readouterr()
    assert captured.out == f"{KEY}\n"
    assert KEY not in captured.err


def test_revoke_says_what_stays(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers = [(200, MACHINE)]
    assert run("collectors", "revoke", "web-01") == 0
    assert api.asked[0][0] == "DELETE"
    assert "its samples stay" in capsys.readouterr().out


@pytest.mark.parametrize(("status", "code"), [(401, "AUTH_001"), (403, "AUTH_003"), (404, "COLLECTOR_001")])
def test_the_portals_no_is_exit_code_1(status: int, code: str, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers = [(status, refusal(code))]
    assert run("collectors", "show", "x") == 1
    assert capsys.readouterr().err == f"perfagent: The portal's sentence. ({code})\n"


@pytest.mark.parametrize("answer", [(200, b"<html>"), (502, b"<html>bad gateway</html>"), (302, b"")])
def test_an_answer_that_is_not_the_portals_is_exit_code_3(answer: tuple[int, bytes], api: Api) -> None:
    api.answers = [answer]
    assert run("collectors", "list") == 3


def test_a_portal_that_is_away_is_exit_code_3(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERFAGENT_URL", "http://localhost:1")
    assert run("collectors", "list") == 3


@pytest.mark.parametrize("name", ["PERFAGENT_TOKEN", "PERFAGENT_URL"])
def test_what_is_not_set_is_wrong_settings(name: str, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=name):
        run("collectors", "list")


def test_an_upload_goes_with_the_machines_key_in_bounded_parts(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ctl_upload, "PART_BYTES", 40)
    path = tmp_path / "disks.csv"
    path.write_text("timestamp,device,read_mb\n" + "".join(f"{second},sda,1\n" for second in range(1, 9)))
    api.answers = [(201, {"status": "success", "records_processed": 4, "duplicates": 0})]
    assert run("upload", str(path)) == 0
    first, second = api.asked
    assert first[1] == "/api/v1/performance/upload?dataset=disks"
    assert first[2]["Authorization"] == f"Bearer {KEY}"
    assert gzip.decompress(second[3]).splitlines()[:2] == [b"timestamp,device,read_mb", b"6,sda,1"]
    assert first[2]["Batch-Id"] != second[2]["Batch-Id"]
    assert "part 2: 4 rows of disks received" in capsys.readouterr().err


def test_an_upload_waits_when_the_portal_asks_it_to(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,cpu_user\n1,1\n")
    api.answers = [(429, refusal("RATE_001")), (201, {"records_processed": 1, "duplicates": 0})]
    waits: list[float] = []
    client = connect({"PERFAGENT_KEY": KEY, **_url()}, "", as_machine=True)
    list(ctl_upload.send_file(client, str(path), lambda text: None, waits.append))
    assert waits == [5.0]


def _url() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PERFAGENT_URL", "PERFAGENT_CONFIG")}


def test_a_refused_upload_is_the_portals_sentence(api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,cpu_user\n")
    api.answers = [(400, refusal("UPLOAD_001"))]
    assert run("upload", str(path)) == 1
    assert "UPLOAD_001" in capsys.readouterr().err
    assert run("upload", str(tmp_path / "none.csv")) == 2


def test_an_export_passes_on_the_bytes_and_names_what_it_wants(api: Api, tmp_path: Path) -> None:
    data = bytes(range(256)) * 3000
    api.answers = [(200, data)]
    target = tmp_path / "out.parquet"
    period = ("--start", "2026-01-01", "--end", "2026-01-31", "--format", "parquet", "-o", str(target))
    assert run("export", *period, "--machine-id", "a", "--machine-id", "b&c", "--metrics", "cpu,load") == 0
    assert target.read_bytes() == data
    query = "start_date=2026-01-01&end_date=2026-01-31&machine_id=a&machine_id=b%26c&metrics=cpu%2Cload"
    assert api.asked[0][1] == f"/api/v1/performance/export?{query}&dataset=system&format=parquet"


def test_a_refused_export_leaves_no_file(api: Api, tmp_path: Path) -> None:
    api.answers = [(400, refusal("EXPORT_001"))]
    target = tmp_path / "out.csv"
    assert run("export", "--start", "x", "--end", "y", "-o", str(target)) == 1
    assert not list(tmp_path.glob("out*"))


def test_a_table_has_straight_columns() -> None:
    rows: list[dict[str, Any]] = [{"a": "x", "b": 1}, {"a": "longer"}]
    assert ctl_table.table(rows, ("a", "b")).splitlines() == ["A       B", "x       1", "longer  -"]


TYPED = pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("''", "ctl"),
        ("ctl ''", "collectors upload export"),
        ("ctl -", "--help"),
        ("ctl collectors r", "register rotate revoke"),
        ("process resample --e", "--every"),
    ],
)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@TYPED
def test_bash_completes_commands_and_options(typed: str, offered: str) -> None:
    state = f"COMP_WORDS=(perfagent {typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1))"
    script = f"{ctl_completion.script('bash')}\n{state}\n_perfagent"
    done = subprocess.run(["bash", "-c", f'{script}; echo "${{COMPREPLY[@]}}"'], capture_output=True, text=True)
    assert set(offered.split()) <= set(done.stdout.split()), done.stderr


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
@TYPED
def test_zsh_completes_commands_and_options(typed: str, offered: str) -> None:
    """Outside a terminal, so that what it would add is printed."""
    around = f"compdef() {{ : }}; compadd() {{ print -r -- $@ }}; words=(perfagent {typed}); CURRENT=$#words"
    script = f"{around}\n{ctl_completion.script('zsh')}\n_perfagent"
    done = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True)
    assert set(offered.split()) <= set(done.stdout.split()), done.stderr


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@TYPED
def test_fish_completes_commands_and_options(typed: str, offered: str, tmp_path: Path) -> None:
    line = f"perfagent {typed}".replace("''", "")
    command = ["fish", "--no-config", "-c", f"{ctl_completion.script('fish')}\ncomplete -C '{line}'"]
    home = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=home)
    assert set(offered.split()) <= set(done.stdout.split()), done.stderr


REPORT = {"id": "0123456789abcdef", "state": "queued", "progress": "", "machine_ids": []}
PERIOD = ("--start", "2026-01-01", "--end", "2026-01-07")


def test_a_report_is_asked_for_waited_for_and_saved(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ctl_report, "POLL_SECONDS", 0.0)
    api.answers = [
        (202, REPORT), (200, {**REPORT, "state": "running", "progress": "Computing"}), (429, refusal("RATE_001")),
        (200, {**REPORT, "state": "done"}), (200, b"%PDF-"),
    ]  # fmt: skip
    assert run("report", *PERIOD, "--machine-id", "web-01", "--pdf", str(tmp_path / "r.pdf")) == 0
    assert (tmp_path / "r.pdf").read_bytes() == b"%PDF-"
    method, path, _, body = api.asked[0]
    assert (method, path) == ("POST", "/api/v1/reports")
    order = json.loads(body)
    assert (order["start"], order["end"]) == ("2026-01-01T00:00:00Z", "2026-01-08T00:00:00Z")
    assert order["machine_ids"] == ["web-01"]
    assert api.asked[-1][1] == "/api/v1/reports/0123456789abcdef/report.pdf"
    assert capsys.readouterr().err.splitlines() == [
        "Report 0123456789abcdef is queued", "Report 0123456789abcdef is running: Computing",
        f"Report 0123456789abcdef is made: {tmp_path / 'r.pdf'}.",
    ]  # fmt: skip


def test_a_report_that_cannot_be_made_is_exit_code_1(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers = [(202, {**REPORT, "state": "failed", "progress": "There are no\x1b samples."})]
    assert run("report", *PERIOD) == 1
    assert "There are no? samples." in capsys.readouterr().err


def test_waiting_for_a_report_ends(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers = [(202, REPORT)]
    assert run("report", *PERIOD, "--wait", "0") == 1
    assert "goes on in the portal" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["2026-13-01", "yesterday", "2026-01-05T12:00:00Z"])
def test_what_is_no_date_is_the_portals_to_judge(text: str) -> None:
    assert ctl_report.instant(text, last=True) == text
