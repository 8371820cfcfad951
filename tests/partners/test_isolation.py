"""What stands between two tenants when something is missing, stolen or running beside (traps 23, 24, 26)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from allauth.mfa.models import Authenticator
from django.db import ProgrammingError, connection, transaction
from django.test import Client

from accounts.models import Role, User
from collectors.models import Collector
from core.tenancy import current_schema, enter_tenant, leave_tenant, schema_context
from tests.cast import PASSWORD, Cast

UPLOAD = "/api/v1/performance/upload"


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def decoys(gamma: Cast) -> Iterator[None]:
    """Tables in `public` with all that a tenant's own hold, as a careless migration would leave them (trap 24)."""
    names = [
        "accounts_session",
        "accounts_user",
        "collectors_collector",
        "collectors_collectorkey",
        "django_content_type",
    ]
    gamma.client(Role.ADMIN)
    leave_tenant()
    for name in names:
        execute(f'CREATE TABLE IF NOT EXISTS public."{name}" AS TABLE gamma."{name}"')
    yield
    leave_tenant()
    for name in names[:-1]:
        execute(f'DROP TABLE public."{name}"')


@pytest.mark.usefixtures("decoys")
def test_a_tenant_without_its_schema_reads_nothing_from_public(gamma: Cast) -> None:
    """Trap 24."""
    person, machine = gamma.client(Role.ADMIN), gamma.machine_client()
    person.raise_request_exception = machine.raise_request_exception = False
    assert person.get("/api/v1/collectors").status_code == 200
    leave_tenant()
    execute("DROP SCHEMA gamma CASCADE")
    assert person.get("/api/v1/collectors").status_code == 500
    assert person.get("/").status_code == 500
    answer = machine.post(UPLOAD, b"timestamp,cpu_user\n", content_type="text/csv")
    assert (answer.status_code, answer.json()["code"]) == (500, "SERVER_001")


def test_second_factors_are_in_the_tenants_alone(alpha: Cast) -> None:
    """Trap 24: an app of others, too."""
    with schema_context(alpha.schema):
        assert not Authenticator.objects.exists()
    with pytest.raises(ProgrammingError), schema_context("public"), transaction.atomic():
        Authenticator.objects.exists()


def test_a_request_has_only_its_own_schema_in_the_path(alpha: Cast) -> None:
    enter_tenant(alpha.partner)
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("alpha",)
        with pytest.raises(ProgrammingError):
            cursor.execute("SELECT * FROM partners_partner")


def test_users_sessions_and_audit_are_in_no_public_table(casts: dict[str, Cast], db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = {name for (name,) in cursor.fetchall()}
    assert tables == {"django_migrations", "django_content_type", "partners_partner", "partners_domain"}


def test_no_foreign_key_leaves_its_schema(casts: dict[str, Cast], db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint JOIN pg_class a ON a.oid = conrelid JOIN pg_class b ON b.oid = confrelid"
            " WHERE contype = 'f' AND a.relnamespace <> b.relnamespace"
        )
        assert cursor.fetchall() == []


@pytest.mark.parametrize("role", Role)
def test_a_session_of_one_tenant_is_worth_nothing_at_the_other(alpha: Cast, beta: Cast, role: Role) -> None:
    """Trap 26."""
    cookie = alpha.client(role).cookies["sessionid"].value
    for cast, expected in ((alpha, 200), (beta, 401)):
        client = Client(headers={"host": cast.host})
        client.cookies["sessionid"] = cookie
        assert client.get("/api/v1/collectors").status_code == expected


def test_a_session_cookie_has_no_domain(alpha: Cast) -> None:
    client = alpha.client()
    client.post("/sign-in", {"email": "admin@alpha.example", "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert (cookie["domain"], bool(cookie["httponly"]), cookie["samesite"]) == ("", True, "Lax")


def test_a_key_of_one_tenant_is_worth_nothing_at_the_other(alpha: Cast, beta: Cast) -> None:
    client = Client(headers={"host": beta.host, "authorization": f"Bearer {alpha.key}"})
    assert client.post(UPLOAD).json()["code"] == "AUTH_001"


def test_the_same_person_and_machine_of_two_tenants_are_two(alpha: Cast, beta: Cast) -> None:
    with schema_context("alpha"):
        User.objects.create_user("both@example.com", "x", role=Role.ADMIN)
        Collector.objects.filter(machine_id="server1").update(hostname="alpha's")
    with schema_context("beta"):
        assert not User.objects.filter(email="both@example.com").exists()
        assert Collector.objects.get(machine_id="server1").hostname == "server1"


def test_schema_context_gives_back_the_tenant_that_was(alpha: Cast, beta: Cast) -> None:
    """Trap 23."""
    enter_tenant(alpha.partner)
    with schema_context("beta"):
        assert current_schema() == "beta"
        with schema_context("alpha"):
            assert current_schema() == "alpha"
        assert current_schema() == "beta"
    assert current_schema() == "alpha"
    with pytest.raises(KeyError), schema_context("beta"):
        raise KeyError
    assert current_schema() == "alpha"


def test_a_rolled_back_transaction_does_not_take_the_tenant_along(gamma: Cast, casts: dict[str, Cast]) -> None:
    """PostgreSQL takes back a SET search_path with the transaction that it was in."""
    with schema_context("alpha"):
        assert User.objects.filter(email="admin@alpha.example").exists()
    enter_tenant(gamma.partner)
    with transaction.atomic():
        User.objects.count()
        transaction.set_rollback(True)
    assert list(User.objects.filter(role=Role.ADMIN).values_list("email", flat=True)) == ["admin@gamma.example"]


def test_each_thread_has_a_tenant_of_its_own(alpha: Cast, beta: Cast) -> None:
    """Trap 23: enter in one order, leave in the other."""
    inside, seen = threading.Barrier(2), {}

    def work(schema: str) -> None:
        with schema_context(schema):
            inside.wait(5)
            seen[schema] = current_schema()
        seen[f"after {schema}"] = current_schema()

    threads = [threading.Thread(target=work, args=(schema,)) for schema in ("alpha", "beta")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert seen == {"alpha": "alpha", "beta": "beta", "after alpha": "public", "after beta": "public"}


def test_the_next_request_forgets_the_tenant_of_the_last(alpha: Cast) -> None:
    alpha.client(Role.VIEWER).get("/api/v1/collectors")
    Client(headers={"host": "nobody.localhost"}).get("/")
    assert current_schema() == "public"


def test_schema_context_never_lets_public_into_the_path(alpha: Cast, beta: Cast) -> None:
    """Trap 24: in the block, and after it where the path was strict before."""
    enter_tenant(alpha.partner)
    with schema_context("beta"), connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("beta",)
    with connection.cursor() as cursor:
        cursor.execute("SHOW search_path")
        assert cursor.fetchone() == ("alpha",)
