"""Admins register machines, rotate keys and retire machines."""

from __future__ import annotations

import re

from django_tenants.utils import schema_context

from accounts.models import AuditEvent, Role
from collectors import keys, registry
from collectors.models import Collector, CollectorKey
from tests.cast import MACHINE, Cast

REGISTER = "/manage/machines/register"


def shown_key(text: str) -> keys.Secret:
    found = keys.parse(re.findall(r"pfa_[0-9a-f]{16}_[A-Za-z0-9_-]{43}", text)[0])
    assert found
    return found


def test_registering_shows_a_key_that_works_once(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    text = client.post(REGISTER, {"machine_id": "web-9", "hostname": "web-9.example"}).content.decode()
    key = shown_key(text)
    with schema_context(alpha.schema):
        collector = registry.authenticate(key)
    assert collector is not None
    assert collector.machine_id == "web-9"
    assert key.secret not in client.get("/manage/machines").content.decode()


def test_the_lines_to_paste_name_this_portal(alpha: Cast) -> None:
    text = alpha.client(Role.ADMIN).post(REGISTER, {"machine_id": "web-9"}).content.decode()
    assert "http://alpha.localhost/api/v1/performance/upload" in text
    assert "PERFAGENT_URL=http://alpha.localhost " in text
    assert "http://alpha.localhost/download/perfagent.pyz" in text


def test_a_bad_or_taken_name_is_said_at_the_field(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    assert "is registered already" in client.post(REGISTER, {"machine_id": MACHINE}).content.decode()
    assert "starts with a letter or digit" in client.post(REGISTER, {"machine_id": "../x"}).content.decode()
    with schema_context(alpha.schema):
        assert Collector.objects.count() == 1


def test_a_rotated_key_works_beside_the_old_one(alpha: Cast) -> None:
    text = alpha.client(Role.ADMIN).post(f"/manage/machines/{MACHINE}/rotate-key").content.decode()
    old = keys.parse(alpha.key)
    assert old
    with schema_context(alpha.schema):
        assert registry.authenticate(shown_key(text)) is not None
        assert registry.authenticate(old) is not None
        assert AuditEvent.objects.filter(event="key.rotated", user="admin@alpha.example").exists()


def test_a_retired_machine_has_no_live_key(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    assert client.post(f"/manage/machines/{MACHINE}/retire").status_code == 302
    with schema_context(alpha.schema):
        assert not CollectorKey.objects.filter(revoked_at__isnull=True).exists()
    text = client.get("/manage/machines").content.decode()
    assert "is retired: its keys stopped" in text
    assert client.post(f"/manage/machines/{MACHINE}/rotate-key").status_code == 400
