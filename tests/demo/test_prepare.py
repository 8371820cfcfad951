"""portal.demo: what the demo makes at its first start, and keeps at every later one."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django_tenants.utils import schema_context

from accounts.models import Role, User
from collectors import keys, registry
from collectors.models import Collector, EnrolmentToken
from partners.models import Domain, Partner
from portal import demo
from portal.management.commands.demo import describe

PORT = 8765
Prepare = Callable[[], dict[str, Any]]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "demo.json"


@pytest.fixture
def prepare(db: None, path: Path, said: list[str]) -> Prepare:
    """One start of the demo; what it says of an earlier one is in `said`."""

    def start() -> dict[str, Any]:
        said.clear()
        return demo.prepare(path, PORT, said.append)

    return start


def owner(schema: str, key: str) -> str | None:
    with schema_context(schema):
        secret = keys.parse(key)
        collector = registry.authenticate(secret) if secret else None
        return collector.machine_id if collector else None


def password_works(schema: str, person: dict[str, str]) -> bool:
    with schema_context(schema):
        return User.objects.get(email=person["email"]).check_password(person["password"])


def test_the_first_start_makes_three_partners_and_one_file_for_its_owner_only(prepare: Prepare, path: Path) -> None:
    contents = prepare()
    assert json.loads(path.read_text()) == contents
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert contents["base_url"] == f"http://localhost:{PORT}"
    assert list(contents["partners"]) == ["demo", "sample", "operator"]
    assert contents["partners"]["operator"].keys() == {"url", "users"}
    for name in ("demo", "sample"):
        partner = contents["partners"][name]
        assert list(partner) == ["url", "users", "enrolment_token", "machines"]
        assert partner["url"] == f"http://{name}.localhost:{PORT}"
        assert list(partner["users"]) == ["admin", "analyst", "viewer"]
    sample = Partner.objects.get(schema_name="sample")
    assert (sample.is_generated, sample.retention_days) == (True, 730)
    assert Partner.objects.get(is_operator=True).schema_name == "operator"


def test_every_password_and_key_of_the_file_works(prepare: Prepare) -> None:
    for name, partner in prepare()["partners"].items():
        assert all(password_works(name, person) for person in partner["users"].values())
        machines = partner.get("machines", [])
        assert [owner(name, machine["api_key"]) for machine in machines] == [m["machine_id"] for m in machines]
    with schema_context("sample"):
        assert Collector.objects.count() == 20
        assert {user.role for user in User.objects.all()} == set(Role.values)


def test_a_second_start_changes_nothing(prepare: Prepare, said: list[str]) -> None:
    first = prepare()
    assert prepare() == first
    assert said == []
    with schema_context("demo"):
        assert EnrolmentToken.objects.count() == 1


def test_a_changed_password_is_replaced_and_said(prepare: Prepare, said: list[str]) -> None:
    first = prepare()
    with schema_context("demo"):
        analyst = User.objects.get(email="analyst@demo.example")
        analyst.set_password("something of their own")
        analyst.save()
    person = prepare()["partners"]["demo"]["users"]["analyst"]
    assert person["password"] != first["partners"]["demo"]["users"]["analyst"]["password"]
    assert password_works("demo", person)
    assert [line for line in said if "analyst@demo.example" in line] == said


@pytest.mark.parametrize("damage", [None, "{", "[]", '{"partners": {"demo": 3, "sample": {"machines": "x"}}}'])
def test_a_lost_or_damaged_file_means_new_secrets_and_the_same_machines(
    prepare: Prepare, path: Path, said: list[str], damage: str | None
) -> None:
    first = prepare()
    path.unlink() if damage is None else path.write_text(damage)
    again = prepare()
    for name in ("demo", "sample"):
        old, new = first["partners"][name]["machines"], again["partners"][name]["machines"]
        assert [machine["machine_id"] for machine in new] == [machine["machine_id"] for machine in old]
        assert owner(name, new[0]["api_key"]) == new[0]["machine_id"]
        assert new[0]["api_key"] != old[0]["api_key"]
    assert any("New keys" in line for line in said)


def test_a_revoked_token_is_replaced(prepare: Prepare) -> None:
    first = prepare()
    with schema_context("demo"):
        registry.revoke_enrolment_token(EnrolmentToken.objects.get(), actor="test", ip=None)
    assert prepare()["partners"]["demo"]["enrolment_token"] != first["partners"]["demo"]["enrolment_token"]


def test_a_retired_machine_stays_retired(prepare: Prepare) -> None:
    prepare()
    with schema_context("sample"):
        registry.retire(Collector.objects.get(machine_id="web01"), actor="test", ip=None)
    assert "web01" not in {machine["machine_id"] for machine in prepare()["partners"]["sample"]["machines"]}


def test_a_partner_that_a_killed_start_left_half_made_is_completed(prepare: Prepare) -> None:
    prepare()
    Domain.objects.filter(domain="demo.localhost").delete()
    with schema_context("demo"):
        User.objects.all().delete()
    contents = prepare()
    assert Domain.objects.get(domain="demo.localhost").tenant.schema_name == "demo"
    assert password_works("demo", contents["partners"]["demo"]["users"]["admin"])


def test_the_console_shows_addresses_and_passwords_but_no_keys(prepare: Prepare, tmp_path: Path) -> None:
    contents = prepare()
    text = describe(contents, tmp_path)
    assert contents["partners"]["sample"]["url"] in text
    assert contents["partners"]["demo"]["users"]["viewer"]["password"] in text
    assert "pfa_" not in text
    assert "pfe_" not in text


@pytest.mark.parametrize(
    ("hostname", "machine_id"),
    [("web-1.example.com", "web-1.example.com"), ("_büro pc", "b-ro-pc"), ("", "this-host"), ("x" * 200, "x" * 128)],
)
def test_any_host_name_makes_a_machine_id(monkeypatch: pytest.MonkeyPatch, hostname: str, machine_id: str) -> None:
    monkeypatch.setattr("platform.node", lambda: hostname)
    assert demo.this_host() == machine_id
