"""What the doctor finds on the way to the portal: name, connection, certificate, clock, key. Nothing is stored."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Optional
from urllib.parse import quote, urlsplit

from agent import __version__
from agent.config import Config
from agent.doctor_finding import GOOD, NOTE, PROBLEM, Finding
from agent.transport import Answer, Connection

TIMEOUT_SECONDS = 10.0
MAX_SKEW_SECONDS = 30.0
_DAY_SECONDS = 86_400
_STATUS = "/api/v1/status"
_UPLOAD = "/api/v1/performance/upload"
_EMPTY_FILE = b"timestamp,load_1min\n"
"""Good but for its rows: the portal looks at the key and the machine, and then has nothing to store."""


def examine(settings: Config) -> Iterator[Finding]:
    if settings.ca_file:
        refused = check_ca_file(settings.ca_file)
        if refused is not None:
            yield refused
            return
    with contextlib.ExitStack() as stack:
        try:
            connection = Connection(settings.url, settings.ca_file, TIMEOUT_SECONDS)
            stack.callback(connection.close)
            before = time.time()
            answer = connection.get(_STATUS, _headers())
            middle = (before + time.time()) / 2
            yield from _examine_answer(settings, connection, answer, middle)
        except OSError as error:
            yield explain(error, settings)


def check_ca_file(path: str) -> Optional[Finding]:
    """None when it is good."""
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:
        fix = "It must hold the certificate of the portal's CA as text, from -----BEGIN CERTIFICATE----- on."
        return Finding(PROBLEM, f"PERFAGENT_CA_FILE {path} holds no certificate.", fix)
    except OSError as error:
        fix = "Give the right path, of a file that the agent's user may read."
        return Finding(PROBLEM, f"PERFAGENT_CA_FILE {path} cannot be read: {error.strerror}.", fix)
    return None


def _headers(**more: str) -> dict[str, str]:
    return {"User-Agent": f"perfagent/{__version__}", **{name.replace("_", "-"): text for name, text in more.items()}}


def _examine_answer(settings: Config, connection: Connection, answer: Answer, middle: float) -> Iterator[Finding]:
    yield from check_certificate(settings, time.time())
    content = _json(answer)
    if answer.status == 200 and content.get("status") == "success" and "timestamp" in content:
        yield Finding(GOOD, f"{settings.url} answers: a portal, version {content.get('version')}.")
        yield check_clock(answer, middle)
        yield check_key(settings, connection)
        return
    health = _json(connection.get("/health", _headers()))
    if health.get("status") == "ok" and "waiting_batches" in health:
        waiting = health["waiting_batches"]
        yield Finding(
            GOOD, f"{settings.url} answers: a relay, version {health.get('version')}, {waiting} batches wait."
        )
        yield check_clock(answer, middle)
        return
    yield Finding(
        PROBLEM, f"{settings.url} answers HTTP {answer.status}, and that is no portal and no relay.",
        "Is the address right? A proxy or a sign-in page of the network may stand between.",
    )  # fmt: skip


def _json(answer: Answer) -> Mapping[str, Any]:
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def explain(error: Exception, settings: Config) -> Finding:
    """Why there was no answer."""
    url = settings.url
    host = urlsplit(url).hostname or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _explain_certificate(error, host)
    if isinstance(error, ssl.SSLError):
        return Finding(
            PROBLEM, f"{url} does not speak TLS as it should: {error.reason}.", "Is it https, and that port?"
        )
    if isinstance(error, socket.gaierror):
        return Finding(PROBLEM, f"The name {host} cannot be resolved: {error.strerror}.", "See /etc/resolv.conf.")
    if isinstance(error, ConnectionRefusedError):
        return Finding(PROBLEM, f"{url} refuses the connection.", "Is the portal up, and the port right?")
    if isinstance(error, ConnectionResetError) or isinstance(error.__cause__, http.client.BadStatusLine):
        text = f"{url} ends the connection without an answer."
        return Finding(PROBLEM, text, "Is it http where https is spoken, or the wrong port?")
    if isinstance(error, (socket.timeout, TimeoutError)):
        text = f"{url} does not answer within {TIMEOUT_SECONDS:g} s."
        return Finding(PROBLEM, text, f"A firewall? The agent speaks to it directly{_proxy_hint()}.")
    return Finding(PROBLEM, f"{url} cannot be reached: {error or type(error).__name__}.", "Is the network up?")


def _proxy_hint() -> str:
    named = [name for name in ("https_proxy", "HTTPS_PROXY", "http_proxy") if os.environ.get(name)]
    return f", and does not use {named[0]}; a relay can stand between" if named else ""


def _explain_certificate(error: ssl.SSLCertVerificationError, host: str) -> Finding:
    reason = error.verify_message.rstrip(".")
    today = f"This machine's date is {time.strftime('%Y-%m-%d %H:%M')}: is that right?"
    if "self" in reason or "issuer" in reason:
        fix = "If the portal has a private CA, name the file with its certificate: PERFAGENT_CA_FILE."
    elif "expired" in reason:
        fix = f"Renew it on the portal. {today}"
    elif "not yet valid" in reason:
        fix = f"{today} If so, the portal has its certificate too early."
    else:
        fix = f"The certificate must name {host}."
    return Finding(PROBLEM, f"The certificate of {host} is refused: {reason}.", fix)


def check_certificate(settings: Config, now: float) -> Iterator[Finding]:
    """How long it lasts; that it is good is known by then. OSError when a second connection cannot be made."""
    if not settings.url.startswith("https://"):
        return
    ends = ssl.cert_time_to_seconds(str(_certificate(settings).get("notAfter")))
    days = (ends - now) / _DAY_SECONDS
    text = f"TLS is verified; the portal's certificate lasts {days:.0f} days."
    yield Finding(GOOD, text) if days > 14 else Finding(NOTE, text, "Its renewal on the portal is due.")


def _certificate(settings: Config) -> Mapping[str, Any]:
    parts = urlsplit(settings.url)
    host = parts.hostname or ""
    local = host.rstrip(".").endswith("localhost")
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    address = ("127.0.0.1" if local else host, parts.port or 443)
    plain = socket.create_connection(address, TIMEOUT_SECONDS)
    with plain, context.wrap_socket(plain, server_hostname=host) as secure:
        return secure.getpeercert() or {}


def check_clock(answer: Answer, middle: float) -> Finding:
    """middle: this clock, half way between question and answer."""
    theirs = _portal_time(answer)
    if theirs is None:
        return Finding(NOTE, "The portal does not tell its time, so the clock was not compared.")
    skew = middle - theirs
    if abs(skew) <= MAX_SKEW_SECONDS:
        return Finding(GOOD, f"The clock is within {max(abs(skew), 1):.0f} s of the portal's.")
    which = "ahead of" if skew > 0 else "behind"
    return Finding(
        PROBLEM, f"The clock is {abs(skew):.0f} s {which} the portal's; samples get wrong times, or are refused.",
        "Synchronise it: timedatectl set-ntp true, or start chronyd.",
    )  # fmt: skip


def _portal_time(answer: Answer) -> Optional[float]:
    text = _json(answer).get("timestamp")
    try:
        if isinstance(text, str):
            return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (ValueError, TypeError, KeyError):
        return None


def check_key(settings: Config, connection: Connection) -> Finding:
    """By an upload without rows, the way that samples go too."""
    if not settings.key:
        return Finding(NOTE, "The key was not checked: there is none.")
    headers = _headers(Authorization=f"Bearer {settings.key}", Content_Type="text/csv")
    path = f"{_UPLOAD}?machine_id={quote(settings.machine_id, safe='')}"
    answer = connection.post(path, headers, _EMPTY_FILE)
    code, sentence = str(_json(answer).get("code", "")), str(_json(answer).get("error", ""))
    if code == "UPLOAD_001":
        return Finding(GOOD, f"The portal takes uploads of {settings.machine_id} with this key.")
    return _explain_refusal(answer.status, code, sentence)


def _explain_refusal(status: int, code: str, sentence: str) -> Finding:
    fixes = {
        "AUTH_001": "Was it copied whole? Else it was revoked or replaced: enrol again, or rotate it in the portal.",
        "AUTH_002": "Copy the whole key, from pfa_ on.",
        "AUTH_004": "Set PERFAGENT_MACHINE_ID to the machine that the key was made for.",
        "TENANT_001": "Set PERFAGENT_URL to the address at which you sign in to the portal.",
        "TENANT_002": "Ask the portal's operator.",
        "RATE_001": "Too many uploads just now; ask again in a minute.",
    }
    if code in fixes:
        return Finding(
            NOTE if code == "RATE_001" else PROBLEM, f"The portal refuses the upload: {sentence}", fixes[code]
        )
    text = f"An upload is answered with HTTP {status} {code}: {sentence or 'not the word of the portal'}"
    return Finding(PROBLEM, text, "A proxy between may refuse uploads; the portal's log has the rest.")
