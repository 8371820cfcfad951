"""accounts.seals: every event gets into the chain, and what is changed behind the application's back is found."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django_tenants.utils import schema_context
from pytest_django import DjangoDbBlocker

from accounts import audit, seals
from accounts.models import AuditEvent, AuditSeal, AuditWaiting
from tests.cast import Cast, open_cast


@pytest.fixture(autouse=True)
def _in_alpha(request: pytest.FixtureRequest) -> Iterator[None]:
    if "committed" in request.fixturenames:
        yield
        return
    cast: Cast = request.getfixturevalue("alpha")
    with schema_context(cast.schema):
        yield


def record(count: int = 1) -> list[int]:
    """Ids of new events."""
    for number in range(count):
        audit.record("upload", machine_id="server1", records=number, ip="2001:db8::1", share=0.1, names=["é", "b"])
    return list(AuditEvent.objects.order_by("-pk").values_list("pk", flat=True)[:count])[::-1]


def tamper(statement: str, *tables: str) -> None:
    """What somebody with the database's own password can do."""
    with connection.cursor() as cursor:
        for table in tables or ("accounts_auditevent",):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement)
        for table in tables or ("accounts_auditevent",):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def test_every_event_waits_and_is_sealed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "BATCH", 3)
    before = AuditWaiting.objects.count()
    record(7)
    assert AuditWaiting.objects.count() == before + 7
    assert seals.seal() == before + 7
    assert seals.seal() == 0
    assert not AuditWaiting.objects.exists()
    sealed = AuditSeal.objects.values_list("event_id", flat=True)
    assert sorted(sealed) == sorted(AuditEvent.objects.values_list("pk", flat=True))
    assert seals.verify().problems == ()


def test_an_event_written_by_plain_sql_waits_too() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            'INSERT INTO accounts_auditevent ("timestamp", event, "user", machine_id, status, detail) '
            "VALUES (now(), 'upload', '', 'server1', 'success', '{}') RETURNING id"
        )
        (pk,) = cursor.fetchone()
    assert AuditWaiting.objects.filter(pk=pk).exists()


def test_an_event_that_was_committed_late_is_sealed_later() -> None:
    """A lower id may become visible after a higher one was sealed."""
    first, _ = record(2)
    AuditWaiting.objects.filter(pk=first).delete()
    seals.seal()
    AuditWaiting.objects.create(event_id=first)
    assert seals.seal() == 1
    assert seals.verify().problems == ()


@pytest.mark.parametrize(
    "change",
    [
        "event = 'export'", "\"user\" = 'eve'", "machine_id = 'x'", "records = records + 1", "ip = NULL",
        "status = 'refused'", "\"timestamp\" = \"timestamp\" + interval '1 microsecond'",
        """detail = '{"share": 0.1, "names": ["é"]}'""",
    ],
    ids=lambda change: change.split(" = ")[0],
)  # fmt: skip
def test_a_changed_column_is_found(change: str) -> None:
    _, changed, _ = record(3)
    seals.seal()
    tamper(f"UPDATE accounts_auditevent SET {change} WHERE id = {changed}")
    assert seals.verify().problems == (f"Event {changed} or its place in the chain was changed.",)


def test_a_removed_event_is_found() -> None:
    _, removed, _ = record(3)
    seals.seal()
    tamper(f"DELETE FROM accounts_auditevent WHERE id = {removed}")
    assert seals.verify().problems == (f"Event {removed} is gone.",)


def test_an_event_removed_with_its_seal_is_found() -> None:
    _, removed, following = record(3)
    seals.seal()
    tamper(f"DELETE FROM accounts_auditevent WHERE id = {removed}")
    tamper(f"DELETE FROM accounts_auditseal WHERE event_id = {removed}", "accounts_auditseal")
    assert seals.verify().problems == (f"Event {following} or its place in the chain was changed.",)


def test_a_changed_event_with_a_new_seal_is_found() -> None:
    _, changed, following = record(3)
    seals.seal()
    tamper(f"UPDATE accounts_auditevent SET records = 9 WHERE id = {changed}")
    seal = AuditSeal.objects.get(event_id=changed)
    before = AuditSeal.objects.filter(pk__lt=seal.pk).order_by("-pk")[0]
    forged = seals.digest(before.digest, AuditEvent.objects.get(pk=changed))
    tamper(f"UPDATE accounts_auditseal SET digest = '{forged}' WHERE id = {seal.pk}", "accounts_auditseal")
    assert seals.verify().problems == (f"Event {following} or its place in the chain was changed.",)


def test_a_cut_end_is_found_by_a_head_noted_earlier() -> None:
    last = record(3)[-1]
    seals.seal()
    noted = seals.head()
    tamper(f"DELETE FROM accounts_auditevent WHERE id = {last}")
    tamper(f"DELETE FROM accounts_auditseal WHERE event_id = {last}", "accounts_auditseal")
    assert seals.verify().problems == ()
    assert "expected head is not in the chain" in seals.verify(noted).problems[0]


def test_a_head_noted_earlier_is_still_there_when_the_chain_has_grown() -> None:
    record()
    seals.seal()
    noted = seals.head()
    record()
    seals.seal()
    assert seals.verify(noted).problems == ()
    assert seals.verify(seals.START).problems == ()


def test_an_event_slipped_in_and_one_removed_before_sealing_are_found() -> None:
    slipped, removed = record(2)
    AuditWaiting.objects.filter(pk=slipped).delete()
    tamper(f"DELETE FROM accounts_auditevent WHERE id = {removed}")
    found = seals.verify().problems
    assert found == (f"Event {slipped} was never sealed.", f"Event {removed} is gone, before it was sealed.")


@pytest.mark.parametrize("statement", ["UPDATE accounts_auditseal SET digest = ''", "DELETE FROM accounts_auditseal"])
def test_seals_can_be_neither_changed_nor_removed(statement: str) -> None:
    record()
    seals.seal()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_the_commands_seal_and_verify_every_partner(
    alpha: Cast, beta: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = record()[0]
    call_command("seal_audit")
    call_command("verify_audit")
    said = capsys.readouterr().out
    assert f"head {seals.head()}" in said
    assert "alpha: intact" in said
    assert "beta: intact" in said
    tamper(f"UPDATE accounts_auditevent SET records = 9 WHERE id = {changed}")
    with pytest.raises(CommandError, match="does not match its chain: alpha"):
        call_command("verify_audit")
    call_command("verify_audit", schema="beta")


def test_the_worker_seals(alpha: Cast, beta: Cast) -> None:
    record()
    call_command("work", once=True)
    assert not AuditWaiting.objects.exists()


@pytest.mark.parametrize("arguments", [{"schema": "nobody"}, {"expect": "0" * 64}])
def test_verify_says_what_it_needs(arguments: dict[str, str]) -> None:
    with pytest.raises(CommandError):
        call_command("verify_audit", **arguments)


@pytest.fixture
def committed(casts: dict[str, Cast], django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A partner of its own, committed for other connections to see, and gone after the test."""
    with django_db_blocker.unblock():
        cast = open_cast("sealers")
        try:
            with schema_context(cast.schema):
                yield cast.schema
        finally:
            cast.partner.delete(force_drop=True)


def test_two_sealers_at_once_make_one_chain(committed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "BATCH", 5)
    record(40)
    together = threading.Barrier(3)

    def seal() -> None:
        with schema_context(committed):
            together.wait(10)
            seals.seal()
        connection.close()

    threads = [threading.Thread(target=seal) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    verdict = seals.verify()
    assert (verdict.problems, verdict.waiting, verdict.sealed) == ((), 0, AuditEvent.objects.count())
