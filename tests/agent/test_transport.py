"""The connection: certificates are verified, and names below .localhost are this machine."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
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
