"""core.outgoing: requests to addresses that customers name go nowhere inside, and end in time (trap 41)."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from core import outgoing
from core.outgoing import Limits, RefusedError, TooLargeError
from tests.receivers import Receiver, certified, receiving

NAME = "receiver.example"
LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def resolve_as(monkeypatch: pytest.MonkeyPatch, *answers: Sequence[str]) -> list[str]:
    """Names resolve to each of the answers in turn, then the last; returns what is asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def lookup(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host.endswith(".example"):
            asked.append(host)
            return [
                entry
                for address in answers[min(len(asked), len(answers)) - 1]
                for entry in real(address, port, *args, **kwargs)
            ]
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return asked


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "0", "[::1]", "[::ffff:127.0.0.1]",
        "[::127.0.0.1]", "[::ffff:7f00:1]", "user:password@127.0.0.1", "169.254.169.254",
    ],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_inside_is_refused_however_it_is_written(receiver: Receiver, host: str, scheme: str) -> None:
    with pytest.raises(requests.RequestException) as refused:
        outgoing.session().post(receiver.url(host, scheme=scheme), data=b"{}")
    assert "not public" in outgoing.reason(refused.value)
    assert receiver.got == []


@pytest.mark.parametrize(
    "inside", ["127.0.0.1", "10.0.0.1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::a00:1"]
)
def test_a_name_that_also_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    resolve_as(monkeypatch, ["93.184.215.14", inside])
    with pytest.raises(RefusedError):
        outgoing.session().post(f"https://{NAME}/hook")


def test_a_name_that_changes_after_the_check_is_not_asked_again(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """DNS rebinding: 127.0.0.2 is allowed and checked, and stays what is connected to."""
    settings.OUTGOING_ALLOW = ["127.0.0.1/32"]
    asked = resolve_as(monkeypatch, ["127.0.0.1"], ["127.0.0.3"])
    assert outgoing.session().post(receiver.url(NAME)).status_code == 204
    assert asked == [NAME]
    assert receiver.got[0].headers["host"] == f"{NAME}:{receiver.port}"
    with pytest.raises(RefusedError):
        outgoing.session().post(receiver.url(NAME))


def test_a_network_that_the_operator_allows_is_reached_over_http(receiver: Receiver, settings: Any) -> None:
    settings.OUTGOING_ALLOW = LOOPBACK
    assert outgoing.session().post(receiver.url(), data=b"{}").status_code == 204
    assert receiver.got[0].body == b"{}"


def test_plain_http_over_the_internet_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_as(monkeypatch, ["93.184.215.14"])
    with pytest.raises(RefusedError, match="https"):
        outgoing.session().post(f"http://{NAME}/hook")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(receiver: Receiver, settings: Any, status: int) -> None:
    settings.OUTGOING_ALLOW = LOOPBACK
    receiver.statuses, receiver.headers = [status], {"Location": receiver.url(path="/inside")}
    answer = outgoing.session().post(receiver.url(), allow_redirects=True)
    assert answer.status_code == status
    assert [got.path for got in receiver.got] == ["/hook"]


def test_proxies_and_passwords_of_the_environment_are_not_used(
    receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings.OUTGOING_ALLOW = LOOPBACK
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login portal password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert outgoing.session().post(receiver.url()).status_code == 204
    assert "authorization" not in receiver.got[0].headers


def test_a_receiver_that_hangs_is_given_up(receiver: Receiver, settings: Any) -> None:
    settings.OUTGOING_ALLOW, receiver.hangs = LOOPBACK, True
    with pytest.raises(requests.Timeout) as late:
        outgoing.session(Limits(read=0.2)).post(receiver.url())
    assert outgoing.reason(late.value) == "The receiver did not answer in time."


def test_a_receiver_that_drips_is_given_up(receiver: Receiver, settings: Any) -> None:
    """No single read takes long: only the limit for the whole ends it."""
    settings.OUTGOING_ALLOW, receiver.drips = LOOPBACK, True
    with pytest.raises(requests.Timeout) as late:
        outgoing.session(Limits(total=0.4)).post(receiver.url())
    assert outgoing.reason(late.value) == "The receiver did not answer in time."


def test_a_receiver_that_drips_over_tls_is_given_up(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certified(tmp_path, NAME)
    settings.OUTGOING_ALLOW, settings.OUTGOING_CA_FILE = LOOPBACK, str(authority)
    resolve_as(monkeypatch, ["127.0.0.1"])
    with receiving(context) as receiver:
        receiver.drips = True
        with pytest.raises(requests.Timeout):
            outgoing.session(Limits(total=0.6)).post(receiver.url(NAME, scheme="https"))


def test_a_lookup_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: released.wait(30))
    try:
        with pytest.raises(RefusedError, match="does not resolve"):
            outgoing.session(Limits(total=0.2)).post(f"https://{NAME}/hook")
    finally:
        released.set()


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_that_is_too_large_is_dropped(receiver: Receiver, settings: Any, packed: bool) -> None:
    settings.OUTGOING_ALLOW = LOOPBACK
    receiver.statuses, receiver.body = [200], b"0" * 50_000
    if packed:
        receiver.body, receiver.headers = gzip.compress(receiver.body), {"Content-Encoding": "gzip"}
    with pytest.raises(TooLargeError):
        outgoing.session(Limits(size=10_000)).post(receiver.url())
    assert len(outgoing.session(Limits(size=50_000)).post(receiver.url()).content) == 50_000


def test_tls_is_verified_against_the_name_and_not_the_pinned_address(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certified(tmp_path, NAME)
    names: list[str | None] = []
    context.sni_callback = lambda connection, name, context: names.append(name)
    settings.OUTGOING_ALLOW = LOOPBACK
    resolve_as(monkeypatch, ["127.0.0.1"])
    with receiving(context) as receiver:
        with pytest.raises(requests.exceptions.SSLError) as unknown:
            outgoing.session().post(receiver.url(NAME, scheme="https"), verify=False)
        assert "certificate is not valid" in outgoing.reason(unknown.value)
        settings.OUTGOING_CA_FILE = str(authority)
        assert outgoing.session().post(receiver.url(NAME, scheme="https")).status_code == 204
        with pytest.raises(requests.exceptions.SSLError) as other:
            outgoing.session().post(receiver.url("other.example", scheme="https"))
        assert "other.example" in outgoing.reason(other.value)
    assert names == [NAME, NAME, "other.example"]


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://receiver.example/", "gopher://x/", "hook", "https://"]
)
def test_other_than_http_is_refused(address: str) -> None:
    with pytest.raises(requests.RequestException):
        outgoing.session().get(address)


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 64 + ".example", "..", "x" * 300])
def test_a_name_that_does_not_resolve_is_a_sentence(host: str) -> None:
    with pytest.raises(requests.RequestException) as failed:
        outgoing.session().get(f"https://{host}/")
    assert host not in outgoing.reason(failed.value)


def test_nobody_listening_is_a_sentence_without_the_address(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.OUTGOING_ALLOW = LOOPBACK
    caplog.set_level(logging.INFO)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(requests.ConnectionError) as failed:
            outgoing.session().get(f"http://127.0.0.1:{closed.getsockname()[1]}/secret-path")
    assert outgoing.reason(failed.value) == "There is no connection to the receiver."
    assert "secret-path" not in caplog.text
