"""`doctor`: each problem is named, with a fix, and the exit code says whether there is one."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from agent import doctor, doctor_machine, doctor_portal, doctor_spool, status
from agent.config import Config
from agent.doctor_finding import GOOD, NOTE, PROBLEM, Finding
from agent.spool import Spool
from core.catalogue import SYSTEM

KEY = "pfa_0123456789abcdef_a-secret-of-forty-three-characters-is-here-x"


class Portal(BaseHTTPRequestHandler):
    """Answers as the class variables say."""

    status: tuple[int, Any] = (200, {})
    upload: tuple[int, Any] = (400, {"status": "error", "code": "UPLOAD_001", "error": "no rows"})
    health: tuple[int, Any] = (404, {})
    asked: list[str]

    def do_GET(self) -> None:
        self._answer(*(self.health if self.path == "/health" else self.status))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(self.path)
        self._answer(*self.upload)

    def _answer(self, code: int, content: Any) -> None:
        body = json.dumps(content).encode() if isinstance(content, dict) else content
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def now(offset: float = 0.0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + offset))


class Running:
    def __init__(self, **answers: Any) -> None:
        fine = (200, {"status": "success", "version": "1", "timestamp": now()})
        self.handler = type("Answering", (Portal,), {"status": fine, "asked": [], **answers})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def __enter__(self) -> Config:
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return Config(url=f"http://localhost:{self.port}", key=KEY, machine_id="web-01")

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.server.server_close()


def portal_findings(settings: Config) -> list[Finding]:
    return list(doctor_portal.examine(settings))


def problems(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level == PROBLEM]


def test_a_portal_that_takes_the_key_is_well() -> None:
    running = Running()
    with running as settings:
        findings = portal_findings(settings)
    assert [finding.level for finding in findings] == [GOOD, GOOD, GOOD]
    assert running.handler.asked == ["/api/v1/performance/upload?machine_id=web-01"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("offset", "words"), [(-600, "ahead of"), (600, "behind")])
def test_a_clock_that_is_wrong_is_a_problem(offset: float, words: str) -> None:
    answer = (200, {"status": "success", "version": "1", "timestamp": now(offset)})
    with Running(status=answer) as settings:
        (found,) = problems(portal_findings(settings))
    assert words in found.text
    assert "timedatectl" in found.fix


@pytest.mark.parametrize("code", ["AUTH_001", "AUTH_002", "AUTH_004", "TENANT_001", "TENANT_002"])
def test_a_key_that_is_refused_is_a_problem_with_a_fix(code: str) -> None:
    refusal = (401, {"status": "error", "code": code, "error": "The sentence of the portal."})
    with Running(upload=refusal) as settings:
        (found,) = problems(portal_findings(settings))
    assert found.text == "The portal refuses the upload: The sentence of the portal."
    assert found.fix


def test_a_page_of_a_proxy_is_no_portal() -> None:
    with Running(status=(200, b"<html>Please sign in</html>")) as settings:
        (found,) = problems(portal_findings(settings))
    assert "no portal and no relay" in found.text


def test_a_proxy_that_refuses_uploads_is_said() -> None:
    with Running(upload=(413, b"<html>too large</html>")) as settings:
        (found,) = problems(portal_findings(settings))
    assert "HTTP 413" in found.text


def test_a_relay_is_recognised_and_gets_no_upload() -> None:
    running = Running(status=(404, {}), health=(200, {"status": "ok", "version": "1", "waiting_batches": 3}))
    with running as settings:
        findings = portal_findings(settings)
    assert "a relay" in findings[0].text
    assert not problems(findings)
    assert running.handler.asked == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost:1", "refuses the connection"),
        ("http://name.invalid", "cannot be resolved"),
    ],
)
def test_what_cannot_be_reached_is_said_with_a_fix(url: str, words: str) -> None:
    (found,) = portal_findings(Config(url=url, key=KEY, machine_id="web-01"))
    assert found.level == PROBLEM
    assert words in found.text
    assert found.fix


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "5", "-subj", "/CN=localhost"]
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return folder


@pytest.fixture
def secure(certificate: Path) -> Iterator[Running]:
    running = Running()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    running.server.socket = context.wrap_socket(running.server.socket, server_side=True)
    with running:
        yield running


def test_a_private_certificate_needs_its_ca_file(secure: Running, certificate: Path) -> None:
    url = f"https://localhost:{secure.port}"
    (found,) = problems(portal_findings(Config(url=url, key=KEY, machine_id="web-01")))
    assert "PERFAGENT_CA_FILE" in found.fix
    trusted = Config(url=url, key=KEY, machine_id="web-01", ca_file=str(certificate / "cert.pem"))
    findings = portal_findings(trusted)
    assert not problems(findings)
    assert any(finding.level == NOTE and "lasts 5 days" in finding.text for finding in findings)


def test_a_certificate_for_another_name_is_refused(secure: Running, certificate: Path) -> None:
    url = f"https://other.localhost:{secure.port}"
    settings = Config(url=url, key=KEY, machine_id="web-01", ca_file=str(certificate / "cert.pem"))
    (found,) = problems(portal_findings(settings))
    assert "must name other.localhost" in found.fix


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read: No such file"), ("x", "holds no certificate")])
def test_a_ca_file_that_is_none_is_said(tmp_path: Path, content: str | None, words: str) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    (found,) = portal_findings(Config(url="https://localhost:1", key=KEY, machine_id="web-01", ca_file=str(path)))
    assert words in found.text
    assert found.fix


def test_a_settings_file_that_may_not_be_read_is_no_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """root may read everything, so the system call is told to refuse."""
    path = tmp_path / "agent.conf"
    path.mkdir()
    monkeypatch.setattr(os, "access", lambda *_: False)
    last = list(doctor.examine({"PERFAGENT_CONFIG": str(path)}, offline=True))[-1]
    assert last.text == f"The file {path} cannot be read: Is a directory."
    assert "as root" in last.fix


def test_a_spool_that_cannot_be_written_or_made_is_a_problem(spool_dir: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    (absent,) = doctor_spool.examine(Config(spool_dir=f"{spool_dir}/a/b"))
    assert absent.level == PROBLEM
    assert "cannot make it" in absent.text
    os.makedirs(spool_dir)
    first = next(doctor_spool.examine(Config(spool_dir=spool_dir)))
    assert (first.level, first.text) == (PROBLEM, f"The spool {spool_dir} cannot be written by this user.")
    assert "chown" in first.fix


def test_a_spool_that_is_a_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("")
    (found,) = doctor_spool.examine(Config(spool_dir=str(tmp_path / "spool")))
    assert found.text.endswith("is no folder.")


def test_a_settings_file_that_others_read_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "agent.conf"
    path.write_text("")
    path.chmod(0o644)
    settings = Config(url="https://portal.example", key=KEY, machine_id="web-01")
    findings = list(doctor.check_settings(settings, str(path)))
    assert problems(findings)[0].fix == f"chmod 600 {path}"
    path.chmod(0o600)
    assert not problems(list(doctor.check_settings(settings, str(path))))
    assert not any("a-secret" in finding.text for finding in findings)


def test_no_mode_of_a_device_is_found_fault_with() -> None:
    settings = Config(url="https://portal.example", key=KEY, machine_id="web-01")
    assert not problems(list(doctor.check_settings(settings, os.devnull)))


@pytest.mark.parametrize(("reason", "words"), [("certificate has expired", "Renew"), ("is not yet valid", "right? If")])
def test_a_certificate_out_of_its_time_makes_one_look_at_the_date(reason: str, words: str) -> None:
    error = ssl.SSLCertVerificationError(1, reason)
    error.verify_message = reason
    found = doctor_portal.explain(error, Config(url="https://portal.example"))
    assert words in found.fix
    assert "This machine's date" in found.fix


def test_http_to_a_port_that_speaks_https_is_said(secure: Running) -> None:
    (found,) = portal_findings(Config(url=f"http://localhost:{secure.port}", key=KEY, machine_id="web-01"))
    assert found.text.endswith("ends the connection without an answer.")
    assert "https" in found.fix


def test_a_reader_that_fails_and_its_empty_columns_are_named() -> None:
    failures = {"stat": "/proc/stat: Permission denied", "pressure": "/proc/pressure/cpu: No such file"}
    assert [finding.level for finding in doctor_machine.check_readers(failures)] == [PROBLEM]
    row = {metric.name: 1.0 for metric in SYSTEM.metrics if metric.group not in ("cpu", "pressure")}
    empty = list(doctor_machine.check_columns(row, failures))
    assert [finding.level for finding in empty] == [NOTE, NOTE]
    assert "Permission denied" in empty[0].text
    assert "CONFIG_PSI" in empty[1].fix


def test_no_spool_no_agent_and_a_running_agent(spool_dir: str) -> None:
    settings = Config(spool_dir=spool_dir)
    assert "no spool" in next(doctor_spool.examine(settings)).text
    spool = Spool(spool_dir)
    spool.open()
    moment = time.time()
    told = status.Status(sample_seconds=60, upload_seconds=300, started=moment, last_sample=moment, last_upload=moment)
    status.write(spool_dir, told)
    assert "The agent runs" in next(doctor_spool.examine(settings)).text
    spool.close()
    assert problems(list(doctor_spool.examine(settings)))[0].text == "No agent runs with this spool."


def test_what_waits_and_what_was_set_aside_is_counted(spool_dir: str) -> None:
    for name in ("queue/0000000001-x-1-1.batch", "quarantine/1-y.batch"):
        os.makedirs(os.path.dirname(f"{spool_dir}/{name}"))
        Path(f"{spool_dir}/{name}").write_text("x")
    texts = [finding.text for finding in doctor_spool.examine(Config(spool_dir=spool_dir))]
    assert any(text.startswith("1 batches wait") for text in texts)
    assert any(text.endswith("or damaged: 1.") for text in texts)


def test_the_exit_code_and_the_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PERFAGENT_CONFIG", str(tmp_path / "none"))
    assert doctor.main(["--json"]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert "does not exist" in findings[-1]["text"]


def test_a_machine_on_which_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Running() as settings:
        for name in ("url", "key", "machine_id"):
            monkeypatch.setenv(f"PERFAGENT_{name.upper()}", str(getattr(settings, name)))
        monkeypatch.delenv("PERFAGENT_CONFIG", raising=False)
        monkeypatch.setenv("PERFAGENT_SPOOL_DIR", str(tmp_path / "spool"))
        assert doctor.main([]) == 0
    text = capsys.readouterr().out
    assert text.endswith("No problems.\n")
    assert "Would send every 60 s: 1 system" in text
    assert "a-secret" not in text
