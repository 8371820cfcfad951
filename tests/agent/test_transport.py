"""The connection: certificates are verified, and names below .localhost are this machine."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from agent.config import Config
from agent.spool import Spool
from agent.transport import Connection
from agent.upload import drain

from tests.agent.model import Portal, Serving, success


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate of this test")
    folder = tmp_path_factory.mktemp("certificate")
    key, cert = str(folder / "key.pem"), str(folder / "cert.pem")
    names = ["-subj", "/CN=portal.localhost", "-addext", "subjectAltName=DNS:portal.localhost"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        cert,
    ]
    subprocess.run([*command, *names], check=True, capture_output=True)
    return key, cert


@pytest.fixture
def secure_url(certificate: tuple[str, str]) -> Iterator[str]:
    key, cert = certificate
    serving = Serving(Portal())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server: ThreadingHTTPServer = serving.server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving as url:
        yield url.replace("http://test.", "https://portal.")


def outcome(url: str, spool_dir: str, ca_file: str = "") -> Any:
    spool = Spool(spool_dir)
    spool.open()
    spool.append({"system": ["2026-01-05T12:00:00Z,m,1"]})
    spool.seal()
    try:
        return drain(spool, Config(url=url, key="pfa_test_key", ca_file=ca_file), timeout=5)
    finally:
        spool.close()


def test_a_certificate_of_an_unknown_authority_is_refused(secure_url: str, spool_dir: str) -> None:
    assert "CERTIFICATE_VERIFY_FAILED" in outcome(secure_url, spool_dir).failure


def test_a_private_authority_can_be_trusted(secure_url: str, spool_dir: str, certificate: tuple[str, str]) -> None:
    assert outcome(secure_url, spool_dir, certificate[1]).sent_batches == 1


def test_a_certificate_for_another_name_is_refused(
    secure_url: str, spool_dir: str, certificate: tuple[str, str]
) -> None:
    url = secure_url.replace("portal.localhost", "other.localhost")
    assert "mismatch" in outcome(url, spool_dir, certificate[1]).failure


def test_a_missing_authority_file_keeps_the_batch(secure_url: str, spool_dir: str) -> None:
    assert "certificate of PERFAGENT_CA_FILE" in outcome(secure_url, spool_dir, "/nowhere/ca.pem").failure


@pytest.fixture
def hashed_folder(certificate: tuple[str, str], tmp_path: Path) -> Path:
    """A folder of authorities as openssl-rehash(1) leaves it, with the one of `secure_url`."""
    folder = tmp_path / "authorities"
    folder.mkdir()
    command = ["openssl", "x509", "-noout", "-subject_hash", "-in", certificate[1]]
    digest = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (folder / f"{digest}.0").symlink_to(certificate[1])
    return folder


def test_an_authority_is_found_by_its_hash_and_the_others_are_not_parsed(
    secure_url: str, spool_dir: str, hashed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[Any] = []
    monkeypatch.setenv("SSL_CERT_DIR", str(hashed_folder))
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda *arguments: parsed.append(arguments))
    assert outcome(secure_url, spool_dir).sent_batches == 1
    assert not parsed


def test_an_authority_that_only_the_whole_file_has_is_found_there(
    secure_url: str, spool_dir: str, certificate: tuple[str, str], hashed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for link in hashed_folder.iterdir():
        link.rename(hashed_folder / "01234567.0")
    monkeypatch.setenv("SSL_CERT_DIR", str(hashed_folder))
    monkeypatch.setenv("SSL_CERT_FILE", certificate[1])
    assert outcome(secure_url, spool_dir).sent_batches == 1


@pytest.mark.parametrize("folder_is_empty", [True, False])
def test_no_folder_of_authorities_makes_an_unknown_one_known(
    secure_url: str, spool_dir: str, tmp_path: Path, folder_is_empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not folder_is_empty:
        (tmp_path / "01234567.0").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert "CERTIFICATE_VERIFY_FAILED" in outcome(secure_url, spool_dir).failure


def test_an_answer_that_is_no_http_is_told_as_an_error_of_the_system() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=speak_nonsense, args=(server,), daemon=True).start()
        with pytest.raises(OSError, match="nonsense"):
            Connection(f"http://127.0.0.1:{server.getsockname()[1]}").get("/", {})


def speak_nonsense(server: socket.socket) -> None:
    client, _ = server.accept()
    with client:
        client.recv(4096)
        client.sendall(b"nonsense\r\n\r\n")


def test_localhost_names_never_ask_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, *arguments: Any, **named: Any) -> Any:
        assert host in ("127.0.0.1", "::1")
        return real(host, *arguments, **named)

    real = socket.getaddrinfo
    portal = Portal()
    portal.receive = lambda headers, body: success(201, "a", len(headers["Host"]))  # type: ignore[method-assign]
    with Serving(portal) as url:
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        host = url.partition("://")[2]
        answer = Connection(url).post("/x", {}, b"1")
    assert f'"records_processed": {len(host)}'.encode() in answer.body
