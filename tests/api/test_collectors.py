"""Collectors over the API: register, enrol, rotate, change, retire."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts.models import Role
from collectors import registry
from collectors.models import CollectorKey, EnrolmentToken
from tests import samples
from tests.cast import MACHINE, Cast

BASE = "/api/v1/collectors"


def bearer(cast: Cast, key: object) -> Client:
    return Client(headers={"host": cast.host, "authorization": f"Bearer {key}"})


def upload(cast: Cast, key: object) -> int:
    part = SimpleUploadedFile("a.csv", samples.csv(samples.recent(), [1.0]))
    return bearer(cast, key).post("/api/v1/performance/upload", {"file": part}).status_code


def register(client: Client, **fields: Any) -> Any:
    return client.post(f"{BASE}/register", fields, content_type="application/json")


def token(cast: Cast, **options: Any) -> object:
    with schema_context(cast.schema):
        return registry.make_enrolment_token(actor="admin@alpha.example", **options)


def test_an_admin_registers_a_machine_and_its_key_works(alpha: Cast) -> None:
    answer = register(alpha.client(Role.ADMIN), machine_id="db-1", hostname="db-1.example.com")
    assert answer.status_code == 201
    assert set(answer.json()) == {"status", "machine_id", "api_key"}
    assert upload(alpha, answer.json()["api_key"]) == 201
    shown = alpha.client(Role.VIEWER).get(f"{BASE}/db-1").json()
    assert (shown["hostname"], shown["state"]) == ("db-1.example.com", "live")
    assert "api_key" not in shown


def test_a_machine_cannot_be_registered_twice(alpha: Cast) -> None:
    answer = register(alpha.client(Role.ADMIN), machine_id=MACHINE)
    assert (answer.status_code, answer.json()["code"]) == (409, "COLLECTOR_003")


@pytest.mark.parametrize("machine_id", ["../x", "a b", "=cmd", "<script>", ".x", "x" * 129, "ünï"])
def test_a_bad_machine_id_is_refused(alpha: Cast, machine_id: str) -> None:
    answer = register(alpha.client(Role.ADMIN), machine_id=machine_id)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("COLLECTOR_002", "REQUEST_003")


def test_malformed_json_is_refused(alpha: Cast) -> None:
    answer = alpha.client(Role.ADMIN).post(f"{BASE}/register", "{", content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "REQUEST_003")


def test_an_enrolment_token_registers_as_often_as_it_may(alpha: Cast) -> None:
    secret = token(alpha, uses=2)
    codes = [register(bearer(alpha, secret), machine_id=f"m{n}").status_code for n in range(3)]
    assert codes == [201, 201, 401]


def test_a_failed_registration_does_not_use_up_the_token(alpha: Cast) -> None:
    secret = token(alpha)
    assert register(bearer(alpha, secret), machine_id=MACHINE).status_code == 409
    assert register(bearer(alpha, secret), machine_id="fresh").status_code == 201


def test_an_expired_revoked_or_foreign_token_is_refused(alpha: Cast, beta: Cast) -> None:
    expired, revoked, foreign = token(alpha), token(alpha), token(beta)
    with schema_context("alpha"):
        newest, second = EnrolmentToken.objects.order_by("-id")[:2]
        registry.revoke_enrolment_token(newest, actor="admin", ip=None)
        EnrolmentToken.objects.filter(pk=second.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    for secret in (expired, revoked, foreign):
        answer = register(bearer(alpha, secret), machine_id="fresh")
        assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_001")


def test_a_machine_rotates_its_own_key_and_both_work_for_a_while(alpha: Cast) -> None:
    answer = bearer(alpha, alpha.key).post(f"{BASE}/{MACHINE}/rotate-key")
    new = answer.json()["api_key"]
    assert answer.status_code == 200
    assert (upload(alpha, alpha.key), upload(alpha, new)) == (201, 200)


def test_after_the_overlap_the_old_key_is_unknown(alpha: Cast) -> None:
    new = bearer(alpha, alpha.key).post(f"{BASE}/{MACHINE}/rotate-key").json()["api_key"]
    with schema_context("alpha"):
        CollectorKey.objects.filter(expires_at__isnull=False).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert (upload(alpha, alpha.key), upload(alpha, new)) == (401, 201)


def test_only_two_keys_are_live_at_a_time(alpha: Cast) -> None:
    second = bearer(alpha, alpha.key).post(f"{BASE}/{MACHINE}/rotate-key").json()["api_key"]
    third = bearer(alpha, second).post(f"{BASE}/{MACHINE}/rotate-key").json()["api_key"]
    assert [upload(alpha, key) for key in (alpha.key, second, third)] == [401, 201, 200]


def test_lost_answers_to_a_rotation_do_not_lock_the_machine_out(alpha: Cast) -> None:
    """The key that asked is the one that the machine surely has: it stays, and the one nobody got goes."""
    url = f"{BASE}/{MACHINE}/rotate-key"
    lost = [bearer(alpha, alpha.key).post(url).json()["api_key"] for _ in range(3)]
    new = bearer(alpha, alpha.key).post(url).json()["api_key"]
    assert bearer(alpha, new).post(url).status_code == 200
    assert bearer(alpha, alpha.key).post(url).status_code == 401
    assert {bearer(alpha, key).post(url).status_code for key in lost} == {401}


def test_a_machine_cannot_rotate_anothers_key(alpha: Cast) -> None:
    register(alpha.client(Role.ADMIN), machine_id="other")
    answer = bearer(alpha, alpha.key).post(f"{BASE}/other/rotate-key")
    assert (answer.status_code, answer.json()["code"]) == (403, "AUTH_003")


def test_a_retired_machine_is_refused_at_once_and_keeps_its_samples(alpha: Cast) -> None:
    assert upload(alpha, alpha.key) == 201
    assert alpha.client(Role.ADMIN).delete(f"{BASE}/{MACHINE}").status_code == 200
    assert upload(alpha, alpha.key) == 401
    assert samples.count(alpha) == 1
    answer = alpha.client(Role.ADMIN).post(f"{BASE}/{MACHINE}/rotate-key")
    assert (answer.status_code, answer.json()["code"]) == (400, "COLLECTOR_002")


def test_a_retired_machine_is_taken_back_by_registering_it_again(alpha: Cast) -> None:
    assert upload(alpha, alpha.key) == 201
    admin = alpha.client(Role.ADMIN)
    admin.delete(f"{BASE}/{MACHINE}")
    answer = register(admin, machine_id=MACHINE)
    assert answer.status_code == 201
    assert (upload(alpha, alpha.key), upload(alpha, answer.json()["api_key"])) == (401, 200)
    assert alpha.client(Role.VIEWER).get(f"{BASE}/{MACHINE}").json()["hostname"] == MACHINE


def test_tags_are_changed_by_an_admin_and_checked(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    good = client.patch(f"{BASE}/{MACHINE}", {"tags": ["web", "<b>"]}, content_type="application/json")
    assert good.json()["tags"] == ["web", "<b>"]
    bad = client.patch(f"{BASE}/{MACHINE}", {"tags": "web"}, content_type="application/json")
    assert (bad.status_code, bad.json()["code"]) == (400, "REQUEST_003")


def test_an_unknown_machine_and_another_tenants_are_not_found(alpha: Cast, beta: Cast) -> None:
    register(beta.client(Role.ADMIN), machine_id="only-beta")
    for machine_id in ("nobody", "only-beta", "%00", "a%0d%0ab", "x" * 3000):
        answer = alpha.client(Role.ADMIN).get(f"{BASE}/{machine_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "COLLECTOR_001")


def test_the_list_takes_the_same_queries_for_any_number_of_machines(alpha: Cast) -> None:
    client = alpha.client(Role.VIEWER)
    client.get(BASE)  # the host is cached from here on
    with CaptureQueriesContext(connection) as one:
        client.get(BASE)
    with schema_context("alpha"):
        for number in range(5):
            registry.register(f"m{number}", "", actor="test", ip=None)
    with CaptureQueriesContext(connection) as six:
        found = client.get(BASE).json()["collectors"]
    assert len(found) == 6
    assert len(six) == len(one)
