"""Passkeys without a browser: what is accepted, and above all what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, Role, User
from core.tenancy import schema_context
from tests.cast import Cast
from tests.portal.authenticator import PRESENT, Device
from tests.portal.test_second_factor import password_step, signed_in


def origin(cast: Cast) -> str:
    return f"http://{cast.host}"


def register(client: Client, cast: Cast, **more: Any) -> Device:
    device = Device(origin(cast), **more)
    answer = device.create(client.post("/security/passkeys/begin").json())
    client.post("/security/passkeys", {"name": "my phone", "credential": answer})
    return device


def ask(client: Client) -> dict[str, Any]:
    options: dict[str, Any] = client.post("/passkey/challenge").json()
    return options


def count(cast: Cast) -> int:
    with schema_context(cast.schema):
        return int(Authenticator.objects.filter(type="webauthn").count())


@pytest.fixture
def device(alpha: Cast) -> Device:
    return register(signed_in(alpha), alpha)


def test_a_passkey_is_named_and_listed(alpha: Cast) -> None:
    client = signed_in(alpha)
    register(client, alpha)
    assert "my phone" in client.get("/security").content.decode()
    with schema_context(alpha.schema):
        pk = Authenticator.objects.get(type="webauthn").pk
    client.post(f"/security/passkeys/{pk}/rename", {"name": "<b>old phone</b>"})
    page = client.get("/security").content.decode()
    assert "&lt;b&gt;old phone" in page
    assert "<b>old" not in page


def test_two_first_passkeys_at_once_wait_for_each_other(alpha: Cast) -> None:
    """Else both would make recovery codes, of which there is one set."""
    client = signed_in(alpha)
    with CaptureQueriesContext(connection) as queries:
        register(client, alpha)
    told = [query["sql"] for query in queries]
    locked = next(at for at, sql in enumerate(told) if '"accounts_user"' in sql and "FOR UPDATE" in sql)
    assert not [sql for sql in told[:locked] if "recovery_codes" in sql]


def test_it_is_the_second_step(alpha: Cast, device: Device) -> None:
    client = password_step(alpha)
    answer = client.post("/sign-in/factor", {"credential": device.get(ask(client))})
    assert answer["Location"] == "/"
    assert client.get("/").status_code == 200


def test_it_signs_in_alone(alpha: Cast, device: Device) -> None:
    client = alpha.client()
    answer = client.post("/sign-in/passkey", {"credential": device.get(ask(client)), "next": "/machines/server1"})
    assert answer["Location"] == "/machines/server1"
    assert client.get("/").status_code == 200
    with schema_context(alpha.schema):
        event = AuditEvent.objects.filter(event="sign_in").latest("id")
    assert (event.user, event.detail) == ("viewer@alpha.example", {"way": "passkey", "factor": "webauthn"})


def test_it_confirms(alpha: Cast, device: Device) -> None:
    client = alpha.client(Role.VIEWER)
    assert client.post("/confirm", {"credential": device.get(ask(client))}).status_code == 302
    assert client.get("/security/app").status_code == 200


def test_over_tls_the_origin_is_https(alpha: Cast, device: Device) -> None:
    """Made over http, which only a `.localhost` host allows: the host name is the same."""
    client, device.origin = alpha.client(), f"https://{alpha.host}"
    answer = device.get(client.post("/passkey/challenge", secure=True).json())
    assert client.post("/sign-in/passkey", {"credential": answer}, secure=True).status_code == 302


def refused(client: Client, answer: str) -> bool:
    response = client.post("/sign-in/passkey", {"credential": answer})
    return response.status_code == 403 and client.get("/").status_code == 302


def test_an_answer_works_once(alpha: Cast, device: Device) -> None:
    client = alpha.client()
    answer = device.get(ask(client))
    assert client.post("/sign-in/passkey", {"credential": answer}).status_code == 302
    client.post("/sign-out")
    assert refused(client, answer)


def test_an_answer_to_somebody_elses_question_is_refused(alpha: Cast, device: Device) -> None:
    client, other = alpha.client(), alpha.client()
    ask(client)
    assert refused(client, device.get(ask(other)))


def test_an_answer_without_a_question_is_refused(alpha: Cast, device: Device) -> None:
    assert refused(alpha.client(), device.get(ask(alpha.client())))


@pytest.mark.parametrize(
    "page", ["http://beta.localhost", "https://alpha.localhost", "http://x.alpha.localhost", "null"]
)
def test_another_origin_is_refused(page: str, alpha: Cast, device: Device) -> None:
    client = alpha.client()
    device.origin = page
    assert refused(client, device.get(ask(client)))


def test_another_key_is_refused(alpha: Cast, device: Device) -> None:
    client = alpha.client()
    device.key = Device(origin(alpha)).key
    assert refused(client, device.get(ask(client)))


def test_a_device_that_did_not_ask_its_owner_is_refused(alpha: Cast, device: Device) -> None:
    """It would be one factor only."""
    client = alpha.client()
    device.flags = PRESENT
    assert refused(client, device.get(ask(client)))
    assert register(signed_in(alpha, Role.ANALYST), alpha, flags=PRESENT)
    assert count(alpha) == 1


def test_somebody_elses_account_is_refused(alpha: Cast, device: Device) -> None:
    client = alpha.client()
    device.user_handle = register(signed_in(alpha, Role.ADMIN), alpha).user_handle
    assert refused(client, device.get(ask(client)))


def test_a_passkey_of_another_tenant_is_refused(alpha: Cast, beta: Cast, device: Device) -> None:
    client = beta.client()
    device.origin = origin(beta)
    assert refused(client, device.get(ask(client)))


def test_an_account_that_is_switched_off_is_refused(alpha: Cast, device: Device) -> None:
    with schema_context(alpha.schema):
        User.objects.update(is_active=False)
    client = alpha.client()
    assert refused(client, device.get(ask(client)))


def test_a_removed_passkey_is_refused(alpha: Cast, device: Device) -> None:
    with schema_context(alpha.schema):
        Authenticator.objects.all().delete()
    client = alpha.client()
    assert refused(client, device.get(ask(client)))


HOSTILE = [
    "", "null", "[]", "7", '"x"', "{", "{}", '{"response": null}', '{"response": {"userHandle": 7}}',
    '{"response": {"userHandle": "MQ", "clientDataJSON": "AA"}}', '{"response": []}', "x" * 70_000, "\0",
]  # fmt: skip


SPOILED: tuple[Any, ...] = ("", "AA", "!", None, 7, {}, "A" * 9000)


@pytest.mark.parametrize("answer", HOSTILE, ids=lambda text: text[:20])
def test_what_is_no_answer_is_refused_and_never_an_error(answer: str, alpha: Cast, device: Device) -> None:
    client = alpha.client()
    ask(client)
    assert refused(client, answer)
    owner = signed_in(alpha, Role.ANALYST)
    owner.post("/security/passkeys/begin")
    assert owner.post("/security/passkeys", {"name": "x", "credential": answer}).status_code == 302
    assert count(alpha) == 1


def test_every_part_of_an_answer_may_be_spoiled(alpha: Cast, device: Device) -> None:
    client = alpha.client()
    good = json.loads(device.get(ask(client)))
    for name in good["response"]:
        for value in SPOILED:
            spoiled = {**good, "response": {**good["response"], name: value}}
            assert refused(client, json.dumps(spoiled)), (name, value)


def test_the_question_names_no_account_before_sign_in(alpha: Cast, device: Device) -> None:
    asked = ask(alpha.client())["publicKey"]
    assert not asked.get("allowCredentials")
    assert asked["userVerification"] == "required"
    assert asked["rpId"] == "alpha.localhost"
