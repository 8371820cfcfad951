"""manage.py create_partner: schema, host and Admin together, or nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context, schema_exists

from accounts.models import AuditEvent, Role, User, UserManager
from accounts.opening import Opening, open_partner
from partners.models import Domain, Partner
from tests.cast import Cast

ARGUMENTS = {"host": "delta.localhost", "admin": "Ann@Delta.example"}


def create(name: str = "delta", **options: Any) -> None:
    call_command("create_partner", name, **{**ARGUMENTS, **options})


def nothing_remains(name: str = "delta") -> bool:
    domains = Domain.objects.filter(domain=ARGUMENTS["host"])
    return not (Partner.objects.filter(schema_name=name).exists() or domains.exists() or schema_exists(name))


def test_it_opens_a_partner_whose_admin_can_sign_in(alpha: Cast, capsys: pytest.CaptureFixture[str]) -> None:
    create(host="Delta.Localhost.", title="Delta Ltd", retention_days=30)
    output = capsys.readouterr().out
    password = re.search(r"password \(shown once\): (\S{16})", output)
    assert password
    assert "Opened delta at delta.localhost." in output
    partner = Partner.objects.get(schema_name="delta")
    assert (partner.name, partner.retention_days, partner.is_operator) == ("Delta Ltd", 30, False)
    with schema_context("delta"):
        admin = User.objects.get()
        assert (admin.email, admin.role) == ("ann@delta.example", Role.ADMIN)
        assert AuditEvent.objects.get().event == "partner.opened"
        assert password[1] not in str(list(AuditEvent.objects.values()))
    client = Client(headers={"host": "delta.localhost"})
    client.post("/sign-in", {"email": "ann@delta.example", "password": password[1]})
    assert client.get("/api/v1/collectors").json() == {"collectors": []}


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("Delta", {}, "no partner name"),
        ("public", {}, "reserved"),
        ("pg_delta", {}, "reserved"),
        ("alpha", {}, "already exists"),
        ("delta", {"host": "alpha.localhost"}, "belongs to another partner"),
        ("delta", {"host": "ALPHA.localhost.:80"}, "belongs to another partner"),
        ("delta", {"host": "127.0.0.1"}, "address"),
        ("delta", {"host": "a_b"}, "no host name"),
    ],
)
def test_a_bad_or_taken_name_is_refused(alpha: Cast, name: str, options: dict[str, str], reason: str) -> None:
    before = Partner.objects.count()
    with pytest.raises(CommandError, match=reason):
        create(name, **options)
    assert Partner.objects.count() == before
    assert name == "public" or name == "alpha" or not schema_exists(name)


def test_an_opening_that_fails_at_the_end_leaves_nothing_behind(committed: None) -> None:
    with pytest.raises(CommandError, match="valid email"):
        create(admin="not an e-mail")
    assert nothing_remains()


def test_an_opening_that_is_interrupted_leaves_nothing_behind(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(UserManager, "create_user", interrupt)
    with pytest.raises(KeyboardInterrupt):
        create()
    assert nothing_remains()


def test_a_schema_of_somebody_else_is_neither_taken_nor_dropped(alpha: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA delta; CREATE TABLE delta.theirs (id int)")
    with pytest.raises(CommandError, match="has a schema delta already"):
        create(admin="not an e-mail")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM delta.theirs")
    assert not Partner.objects.filter(schema_name="delta").exists()


def test_there_is_one_operator(alpha: Cast) -> None:
    Partner.objects.filter(schema_name="alpha").update(is_operator=True)
    with pytest.raises(CommandError, match="operator partner already"):
        create(operator=True)
    assert nothing_remains()


def test_a_new_schema_carries_no_rows_of_others(alpha: Cast) -> None:
    """Trap 27."""
    open_partner(Opening("delta", "delta.localhost", "ann@delta.example", "x"))
    with schema_context("delta"), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM collectors_collectorkey UNION ALL SELECT count(*) FROM accounts_session")
        assert cursor.fetchall() == [(0,), (0,)]
        assert User.objects.count() == 1
