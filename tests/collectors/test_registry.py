"""collectors.registry: registering machines; making, rotating and revoking keys and enrolment tokens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts.models import AuditEvent
from collectors import keys, registry
from collectors.models import Collector, CollectorKey, EnrolmentToken
from core.errors import ServiceError
from tests.cast import Cast

WHO: dict[str, Any] = {"actor": "admin@alpha.example", "ip": "192.0.2.7"}


@pytest.fixture
def _in_alpha(alpha: Cast) -> Iterator[None]:
    with schema_context(alpha.schema):
        yield


pytestmark = pytest.mark.usefixtures("_in_alpha")


@pytest.fixture
def machine(_in_alpha: None) -> tuple[Collector, keys.Secret]:
    return registry.register("server2", "server2.example", **WHO)


def later(monkeypatch: pytest.MonkeyPatch, **ahead: float) -> None:
    moment = timezone.now() + timedelta(**ahead)
    monkeypatch.setattr("django.utils.timezone.now", lambda: moment)


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(ServiceError) as refused:
        call(*arguments, **options)
    return refused.value.code.code


def test_a_registered_machine_is_known_by_its_key(machine: tuple[Collector, keys.Secret]) -> None:
    collector, key = machine
    assert registry.authenticate(key) == collector
    stored = Collector.objects.get(machine_id="server2")
    assert (stored.hostname, stored.ip_address, stored.active) == ("server2.example", "192.0.2.7", True)
    event = AuditEvent.objects.get(machine_id="server2")
    assert (event.event, event.user, event.ip) == ("collector.registered", "admin@alpha.example", "192.0.2.7")


def test_the_digest_is_stored_and_the_key_is_not(machine: tuple[Collector, keys.Secret]) -> None:
    _, key = machine
    assert CollectorKey.objects.get(key_id=key.public_id).digest == key.digest
    with connection.cursor() as cursor:
        cursor.execute("SELECT k::text || c::text FROM collectors_collectorkey k, collectors_collector c")
        assert all(key.secret not in row for (row,) in cursor.fetchall())


def test_a_known_id_with_another_secret_is_nobody(machine: tuple[Collector, keys.Secret]) -> None:
    _, key = machine
    other = keys.generate(keys.MACHINE)
    assert registry.authenticate(other) is None
    assert registry.authenticate(keys.Secret(keys.MACHINE, key.public_id, other.secret)) is None


@pytest.mark.parametrize("machine_id", ["a", "server-2", "10.0.0.1", "fe80::1", "A_b.c:d-e", "x" * 128])
def test_a_plain_id_may_be_registered(machine_id: str) -> None:
    assert registry.register(machine_id, "", **WHO)[0].machine_id == machine_id


@pytest.mark.parametrize(
    "machine_id",
    ["", " ", "a b", "-a", ".a", "../../x", "a/b", "<script>", "=cmd|x", "é", "a\n", "a\0", "\u202ea", "x" * 129],
)
def test_a_hostile_id_may_not(machine_id: str) -> None:
    """Trap 40."""
    assert refusal(registry.register, machine_id, "", **WHO) == "COLLECTOR_002"


@pytest.mark.parametrize("hostname", ["x" * 256, "a\0b"])
def test_a_hostname_that_cannot_be_stored_is_refused(hostname: str) -> None:
    assert refusal(registry.register, "server2", hostname, **WHO) == "COLLECTOR_002"


def test_a_machine_is_registered_once(machine: tuple[Collector, keys.Secret]) -> None:
    assert refusal(registry.register, "server2", "", **WHO) == "COLLECTOR_003"
    assert CollectorKey.objects.filter(collector=machine[0]).count() == 1
    assert AuditEvent.objects.filter(event="collector.registered", machine_id="server2").count() == 1


def test_a_rotation_leaves_the_old_key_alive_for_a_while(
    machine: tuple[Collector, keys.Secret], monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.KEY_OVERLAP_HOURS = 24
    collector, first = machine
    second = registry.rotate(collector, **WHO)
    assert registry.authenticate(first) == registry.authenticate(second) == collector
    later(monkeypatch, hours=23.9)
    assert registry.authenticate(first) == collector
    later(monkeypatch, hours=0.2)
    assert registry.authenticate(first) is None
    assert registry.authenticate(second) == collector


def test_two_keys_are_alive_and_a_further_rotation_revokes_the_oldest(machine: tuple[Collector, keys.Secret]) -> None:
    collector, first = machine
    second = registry.rotate(collector, **WHO)
    third = registry.rotate(collector, **WHO)
    assert [registry.authenticate(key) for key in (first, second, third)] == [None, collector, collector]
    fourth = registry.rotate(collector, **WHO)
    assert [registry.authenticate(key) for key in (second, third, fourth)] == [None, collector, collector]
    assert AuditEvent.objects.filter(event="key.rotated", machine_id="server2").count() == 3


def test_without_an_overlap_the_old_key_stops_at_once(machine: tuple[Collector, keys.Secret], settings: Any) -> None:
    settings.KEY_OVERLAP_HOURS = 0
    collector, first = machine
    second = registry.rotate(collector, **WHO)
    assert [registry.authenticate(key) for key in (first, second)] == [None, collector]


def test_a_rotation_touches_no_other_machine(machine: tuple[Collector, keys.Secret], alpha: Cast) -> None:
    registry.rotate(machine[0], **WHO)
    registry.rotate(machine[0], **WHO)
    key = keys.parse(alpha.key)
    assert key is not None
    assert registry.authenticate(key) == alpha.collector()
    assert CollectorKey.objects.get(key_id=key.public_id).expires_at is None


def test_a_retired_machine_has_no_key_at_once_and_gets_none(machine: tuple[Collector, keys.Secret]) -> None:
    collector, first = machine
    second = registry.rotate(collector, **WHO)
    registry.retire(collector, **WHO)
    assert [registry.authenticate(key) for key in (first, second)] == [None, None]
    assert refusal(registry.rotate, collector, **WHO) == "COLLECTOR_002"
    assert not Collector.objects.get(pk=collector.pk).active
    assert AuditEvent.objects.filter(event="collector.retired", machine_id="server2").exists()


def test_a_machine_that_is_switched_off_is_nobody_though_its_key_is_alive(
    machine: tuple[Collector, keys.Secret],
) -> None:
    collector, key = machine
    Collector.objects.filter(pk=collector.pk).update(active=False)
    assert registry.authenticate(key) is None


def test_a_machine_that_is_switched_on_again_has_none_of_its_old_keys(machine: tuple[Collector, keys.Secret]) -> None:
    collector, key = machine
    registry.retire(collector, **WHO)
    Collector.objects.filter(pk=collector.pk).update(active=True)
    assert registry.authenticate(key) is None


def enrol(token: keys.Secret, machine_id: str = "server2") -> tuple[Collector, keys.Secret]:
    return registry.register_with_token(token, machine_id, "", ip=None)


def test_a_token_registers_a_machine_in_its_own_name() -> None:
    token = registry.make_enrolment_token(actor="admin@alpha.example")
    collector, key = enrol(token)
    assert registry.authenticate(key) == collector
    assert AuditEvent.objects.get(event="collector.registered", machine_id="server2").user == (
        f"enrolment:{token.public_id}"
    )
    stored = EnrolmentToken.objects.get(token_id=token.public_id)
    assert (stored.digest, stored.created_by, stored.uses_left) == (token.digest, "admin@alpha.example", 0)


def test_a_token_is_good_for_so_many_machines() -> None:
    token = registry.make_enrolment_token(actor="a", uses=2)
    enrol(token, "server2")
    enrol(token, "server3")
    assert refusal(enrol, token, "server4") == "AUTH_001"
    assert not Collector.objects.filter(machine_id="server4").exists()


def test_a_registration_that_fails_uses_nothing_up() -> None:
    token = registry.make_enrolment_token(actor="a")
    assert refusal(enrol, token, "server1") == "COLLECTOR_003"
    assert refusal(enrol, token, "a b") == "COLLECTOR_002"
    enrol(token, "server2")


def test_an_expired_token_is_worth_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    token = registry.make_enrolment_token(actor="a", hours=2)
    later(monkeypatch, hours=2.01)
    assert refusal(enrol, token) == "AUTH_001"


def test_a_revoked_token_is_worth_nothing() -> None:
    token = registry.make_enrolment_token(actor="a", uses=5)
    registry.revoke_enrolment_token(EnrolmentToken.objects.get(token_id=token.public_id), **WHO)
    assert refusal(enrol, token) == "AUTH_001"
    assert AuditEvent.objects.get(event="enrolment_token.revoked").detail == {"token_id": token.public_id}


def test_an_unknown_token_and_one_with_another_secret_are_worth_nothing() -> None:
    token = registry.make_enrolment_token(actor="a")
    other = keys.generate(keys.ENROLMENT)
    assert refusal(enrol, other) == "AUTH_001"
    assert refusal(enrol, keys.Secret(keys.ENROLMENT, token.public_id, other.secret)) == "AUTH_001"
    enrol(token)


def test_a_key_is_no_token_and_a_token_is_no_key(machine: tuple[Collector, keys.Secret]) -> None:
    token = registry.make_enrolment_token(actor="a")
    assert refusal(enrol, machine[1], "server3") == "AUTH_001"
    assert registry.authenticate(token) is None


def test_a_token_of_one_tenant_is_worth_nothing_at_the_other(beta: Cast) -> None:
    token = registry.make_enrolment_token(actor="a")
    with schema_context(beta.schema):
        assert refusal(enrol, token) == "AUTH_001"


def test_a_token_that_is_over_before_it_begins_is_not_made() -> None:
    with pytest.raises(ValidationError):
        registry.make_enrolment_token(actor="a", hours=0)
