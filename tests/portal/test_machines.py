"""Admins register machines, rotate keys and retire machines."""

from __future__ import annotations

import re

import pytest
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


def set_tags(cast: Cast, text: str) -> str:
    path = f"/manage/machines/{MACHINE}/tags"
    return str(cast.client(Role.ADMIN).post(path, {"tags": text}, follow=True).content.decode())


def test_tags_are_set_as_a_list_with_commas_and_audited(alpha: Cast) -> None:
    assert "The tags of server1 are changed." in set_tags(alpha, " web ,site:berlin, web,, ")
    assert alpha.collector().tags == ["web", "site:berlin"]
    with schema_context(alpha.schema):
        event = AuditEvent.objects.get(event="collector.changed")
    assert (event.user, event.detail) == ("admin@alpha.example", {"tags": "web, site:berlin"})
    set_tags(alpha, "")
    assert alpha.collector().tags == []


@pytest.mark.parametrize("bad", ["x" * 65, "a\x07b", "a\u202eb", ", ".join(f"t{i}" for i in range(33))], ids=len)
def test_what_is_no_tag_is_said_and_changes_nothing(alpha: Cast, bad: str) -> None:
    assert 'class="flash error"' in set_tags(alpha, bad)
    assert alpha.collector().tags == []


def test_many_machines_come_in_pages_and_are_searched(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.machines.PAGE_SIZE", 1)
    with schema_context(alpha.schema):
        registry.register("web-1", "", actor="test", ip=None)
    client = alpha.client(Role.ADMIN)
    assert "/manage/machines/web-1/retire" in client.get("/manage/machines?page=2").content.decode()
    found = client.get("/manage/machines?q=WEB").content.decode()
    assert "/manage/machines/web-1/retire" in found
    assert "/manage/machines/server1/retire" not in found
    assert "No machine matches" in client.get("/manage/machines?q=zzz").content.decode()
