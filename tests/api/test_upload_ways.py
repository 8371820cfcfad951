"""A machine's upload goes a short way (api.middleware) or the long one (api.upload): no answer tells which."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.utils import timezone
from django_tenants.utils import schema_context
from pytest_django import Settings

from accounts.models import AuditEvent
from analysis.models import Batch
from api import middleware
from collectors import keys, registry
from core.keys import Secret
from partners.models import Partner
from tests import samples
from tests.cast import MACHINE, Cast

URL = "/api/v1/performance/upload"
SHORT, LONG = "Bearer", "bearer"
"""The short way knows the scheme as agents write it; any other spelling goes the long way."""
OF_THE_VIEW = {"Allow"}
"""Headers of the long way alone: what else may be asked of the address."""


def good(value: str = "1") -> bytes:
    return f"timestamp,machine_id,cpu_user\n{samples.recent().isoformat()},{MACHINE},{value}\n".encode()


@dataclass(frozen=True)
class Upload:
    """What is sent, and the status and code that both ways answer with."""

    name: str
    status: int
    code: str = ""
    body: bytes | dict[str, Any] = b""
    path: str = URL
    content_type: str = "text/csv"
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name

    def send(self, cast: Cast, scheme: str, key: str, host: str = "") -> Any:
        given = {"authorization": f"{scheme} {key}", "host": host or cast.host, **self.headers}
        client = Client(headers=given)
        if isinstance(self.body, dict):
            parts = {name: SimpleUploadedFile(name, part) if isinstance(part, bytes) else part
                     for name, part in self.body.items()}  # fmt: skip
            return client.post(self.path, parts)
        return client.post(self.path, self.body, content_type=self.content_type)


UPLOADS = (
    Upload("raw", 201, body=good()),
    Upload("short address", 201, body=good(), path="/api/v1/upload"),
    Upload("packed", 201, body=gzip.compress(good(), mtime=0), headers={"content-encoding": "gzip"}),
    Upload("form", 201, body={"file": good(), "machine_id": MACHINE}),
    Upload("inventory and events", 201, body={"file": good(), "inventory": '{"os": "x"}', "events": "nonsense"}),
    Upload("warnings", 201, body=good().replace(b"cpu_user", b"cpu_user,fan").replace(b",1\n", b",1,2\n")),
    Upload(
        "hostile warnings",
        201,
        body=good().replace(b"cpu_user", "<b>\u2028é,cpu_user".encode()).replace(b",1\n", b",1,2\n"),
    ),
    Upload("skipping", 201, body=good() + good("x"), path=f"{URL}?on_error=skip"),
    Upload("any answer accepted", 201, body=good(), headers={"accept": "*/*"}),
    Upload("another answer wanted", 406, "REQUEST_005", good(), headers={"accept": "text/html"}),
    Upload("empty", 400, "UPLOAD_001"),
    Upload("no column", 400, "UPLOAD_002", b"timestamp\n1\n"),
    Upload("bad value", 400, "UPLOAD_003", good("x")),
    Upload("not UTF-8", 415, "UPLOAD_005", b"\xff\xfe"),
    Upload("bad gzip", 415, "UPLOAD_005", b"\x1f\x8bnonsense"),
    Upload("media type", 415, "UPLOAD_005", b"x", content_type="image/png"),
    Upload("old", 400, "UPLOAD_007", b"timestamp,cpu_user\n1,1\n"),
    Upload("truncated", 400, "UPLOAD_008", b'timestamp,cpu_user\n"1'),
    Upload("chunked", 400, "UPLOAD_008", good(), headers={"transfer-encoding": "chunked"}),
    Upload("another machine's", 403, "AUTH_004", good(), path=f"{URL}?machine_id=other"),
    Upload("unknown dataset", 400, "REQUEST_003", good(), path=f"{URL}?dataset=x"),
    Upload("bad batch id", 400, "REQUEST_003", good(), headers={"batch-id": "*"}),
    Upload("unknown part", 400, "REQUEST_003", {"nonsense": good()}),
)


def seen(answer: Any) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name not in OF_THE_VIEW}
    return answer.status_code, headers, answer.content


def traces(cast: Cast) -> list[Any]:
    """What both ways leave, taken away again."""
    with schema_context(cast.schema):
        batches = list(Batch.objects.values_list("batch_id", "digest", "records", "duplicates", "warnings"))
        audited = list(AuditEvent.objects.filter(event="upload").values_list("user", "machine_id", "records", "ip"))
        collector = cast.collector()
    return [batches, audited, collector.inventory, collector.ip_address, samples.count(cast)]


def both(cast: Cast, upload: Upload, key: str = "", host: str = "") -> tuple[Any, Any]:
    """The long way's answer and traces, then the short way's, each on the state before."""
    found = []
    for scheme in (LONG, SHORT):
        with transaction.atomic():
            answer = upload.send(cast, scheme, key or cast.key, host)
            found.append((seen(answer), traces(cast)))
            transaction.set_rollback(True)
    return found[0], found[1]


@pytest.mark.parametrize("upload", UPLOADS, ids=str)
def test_both_ways_answer_and_store_the_same(alpha: Cast, upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: moment)
    long, short = both(alpha, upload)
    assert short == long
    status, headers, body = short[0]
    assert (status, json.loads(body).get("code", "")) == (upload.status, upload.code)
    assert headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert int(headers["Content-Length"]) > 50


def test_a_machine_goes_the_short_way(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else every test here would compare the long way with itself."""
    gone = []
    receive = middleware._receive

    def noted(request: HttpRequest, secret: Secret) -> HttpResponse:
        gone.append(request)
        return receive(request, secret)

    monkeypatch.setattr(middleware, "_receive", noted)
    UPLOADS[0].send(alpha, SHORT, alpha.key)
    assert len(gone) == 1
    UPLOADS[0].send(alpha, LONG, alpha.key)
    assert len(gone) == 1


@pytest.mark.parametrize("state", ["unknown", "revoked", "retired", "expired"])
def test_a_key_that_is_not_valid_is_refused_at_once_on_both_ways(alpha: Cast, state: str) -> None:
    assert both(alpha, UPLOADS[0])[1][0][0] == 201
    key = str(keys.generate(keys.MACHINE)) if state == "unknown" else alpha.key
    with schema_context(alpha.schema):
        if state == "revoked":
            registry.rotate(alpha.collector(), actor="test", ip=None)
            registry.rotate(alpha.collector(), actor="test", ip=None)
        if state == "retired":
            registry.retire(alpha.collector(), actor="test", ip=None)
        if state == "expired":
            alpha.collector().keys.update(expires_at=samples.recent())
    long, short = both(alpha, UPLOADS[0], key)
    assert short == long
    assert (short[0][0], json.loads(short[0][2])["code"]) == (401, "AUTH_001")
    assert short[0][1]["WWW-Authenticate"]


def test_the_other_partners_key_is_refused_on_both_ways(alpha: Cast, beta: Cast) -> None:
    long, short = both(alpha, UPLOADS[0], beta.key)
    assert short == long
    assert json.loads(short[0][2])["code"] == "AUTH_001"
    assert samples.count(alpha) == samples.count(beta) == 0


def test_unknown_hosts_and_suspended_partners_are_refused_on_both_ways(alpha: Cast) -> None:
    long, short = both(alpha, UPLOADS[0], host="nobody.example")
    assert short == long
    assert json.loads(short[0][2])["code"] == "TENANT_001"
    partner = Partner.objects.get(schema_name=alpha.schema)
    partner.active = False
    partner.save()
    long, short = both(alpha, UPLOADS[0])
    assert short == long
    assert json.loads(short[0][2])["code"] == "TENANT_002"


def test_both_ways_count_for_the_same_limit_of_a_machine(alpha: Cast, settings: Settings) -> None:
    settings.UPLOAD_RATE = "3/h"
    answers = [UPLOADS[0].send(alpha, scheme, alpha.key) for scheme in (SHORT, LONG, SHORT, LONG, SHORT)]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 429, 429]
    assert [answer.json()["code"] for answer in answers[3:]] == ["RATE_001"] * 2
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers[3:])


def test_both_ways_count_wrong_keys_for_the_same_limit_of_an_address_and_right_ones_for_none(
    alpha: Cast, settings: Settings
) -> None:
    """Many machines stand behind one address or one relay."""
    settings.REQUEST_RATE = "3/h"
    wrong = f"pfa_{'0' * 16}_{'A' * 43}"
    sent = [(SHORT, alpha.key), (LONG, alpha.key), (SHORT, wrong), (LONG, wrong), (SHORT, wrong), (LONG, wrong),
            (SHORT, wrong), (SHORT, alpha.key), (LONG, alpha.key)]  # fmt: skip
    answers = [UPLOADS[0].send(alpha, scheme, key) for scheme, key in sent]
    assert [answer.status_code for answer in answers] == [201, 200, 401, 401, 401, 429, 429, 200, 200]
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers[5:7])


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [(OperationalError("away"), 503, "SERVER_002"), (RuntimeError("bug"), 500, "SERVER_001")],
)
def test_a_failure_within_is_the_same_on_both_ways(
    alpha: Cast, monkeypatch: pytest.MonkeyPatch, failure: Exception, status: int, code: str
) -> None:
    def fail(*_: object) -> None:
        raise failure

    monkeypatch.setattr("analysis.store.store", fail)
    long, short = (UPLOADS[0].send(alpha, scheme, alpha.key) for scheme in (LONG, SHORT))
    assert (short.status_code, short.json()["code"]) == (long.status_code, long.json()["code"]) == (status, code)
    assert "bug" not in short.content.decode()
    assert short.headers.get("Retry-After") == long.headers.get("Retry-After")


@pytest.mark.parametrize("method", ["get", "put", "delete", "options"])
def test_other_methods_are_the_views_to_answer(alpha: Cast, method: str) -> None:
    answers = [
        getattr(Client(headers={"host": alpha.host, "authorization": f"{scheme} {alpha.key}"}), method)(URL)
        for scheme in (LONG, SHORT)
    ]
    assert answers[0].status_code == answers[1].status_code
    assert answers[0].content == answers[1].content
