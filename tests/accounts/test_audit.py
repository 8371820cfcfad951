"""accounts.audit: rows that nobody changes, and a JSON line once what it tells is committed (trap 43)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts import audit
from accounts.models import AuditEvent
from collectors import registry
from tests.cast import PASSWORD, Cast

REFUSED = "the audit log is append-only"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the application log has been told."""
    told: list[str] = []
    monkeypatch.setattr(audit.logger, "info", lambda form, *values: told.append(form % values))
    return told


@pytest.fixture
def event(alpha: Cast) -> Iterator[AuditEvent]:
    with schema_context(alpha.schema):
        audit.record("upload", user="machine:server1", machine_id="server1", records=5, ip="192.0.2.7", batch="b1")
        yield AuditEvent.objects.get(event="upload")


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event.save(),
        lambda event: event.delete(),
        lambda event: AuditEvent.objects.all().delete(),
        lambda event: AuditEvent.objects.filter(pk=event.pk).update(user="nobody"),
        lambda event: AuditEvent.objects.bulk_update([event], ["user"]),
        lambda event: sql("UPDATE accounts_auditevent SET status = 'x'"),
        lambda event: sql("DELETE FROM accounts_auditevent"),
        lambda event: sql("TRUNCATE accounts_auditevent"),
        lambda event: sql("TRUNCATE accounts_auditevent CASCADE"),
        lambda event: sql(
            f"INSERT INTO accounts_auditevent SELECT * FROM accounts_auditevent WHERE id = {event.pk} "
            "ON CONFLICT (id) DO UPDATE SET status = 'x'"
        ),
    ],
    ids=[
        "save", "delete", "delete all", "update", "bulk_update", "UPDATE", "DELETE", "TRUNCATE", "TRUNCATE CASCADE",
        "ON CONFLICT",
    ],
)  # fmt: skip
def test_a_row_can_be_neither_changed_nor_removed(event: AuditEvent, change: Callable[[AuditEvent], object]) -> None:
    with pytest.raises(DatabaseError, match=REFUSED), transaction.atomic():
        change(event)
    assert AuditEvent.objects.get(pk=event.pk).status == "success"


def test_every_tenant_has_the_guard(alpha: Cast, beta: Cast) -> None:
    for cast in (alpha, beta):
        with schema_context(cast.schema), pytest.raises(DatabaseError, match=REFUSED), transaction.atomic():
            AuditEvent.objects.all().delete()


def test_a_row_has_all_that_it_was_told(event: AuditEvent) -> None:
    told = (event.user, event.machine_id, event.records, event.ip, event.status, event.detail)
    assert told == ("machine:server1", "server1", 5, "192.0.2.7", "success", {"batch": "b1"})
    assert abs((timezone.now() - event.timestamp).total_seconds()) < 60


def test_the_line_is_json_of_a_fixed_form(
    alpha: Cast, lines: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with schema_context("alpha"), django_capture_on_commit_callbacks(execute=True):
        audit.record("upload", user="machine:server1", machine_id="server1", records=5, ip="192.0.2.7", batch="b1")
    line = json.loads(lines[0])
    assert list(line) == ["timestamp", "event", "user", "tenant", "machine_id", "records", "ip", "status"]
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo is not None
    assert line == {
        "event": "upload", "user": "machine:server1", "tenant": "alpha", "machine_id": "server1", "records": 5,
        "ip": "192.0.2.7", "status": "success",
    }  # fmt: skip


def test_the_line_names_the_tenant_of_the_event_though_it_is_written_later(
    alpha: Cast, lines: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True), schema_context("alpha"):
        audit.record("sign_in", user="admin@alpha.example")
    assert json.loads(lines[0])["tenant"] == "alpha"


def test_there_is_no_line_before_the_commit(
    alpha: Cast, lines: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with schema_context("alpha"), django_capture_on_commit_callbacks() as callbacks:
        audit.record("upload")
    assert lines == []
    assert len(callbacks) == 1


def test_what_is_rolled_back_is_in_neither_log(
    alpha: Cast, lines: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with schema_context("alpha"), django_capture_on_commit_callbacks(execute=True):
        with transaction.atomic():
            audit.record("upload")
            transaction.set_rollback(True)
        assert not AuditEvent.objects.filter(event="upload").exists()
    assert lines == []


def test_a_hostile_name_cannot_forge_a_line(
    alpha: Cast, lines: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    """Trap 40."""
    with schema_context("alpha"), django_capture_on_commit_callbacks(execute=True):
        audit.record("sign_in_failed", user='x"}\r\n{"event": "sign_in"}\u2028%s')
    assert len(lines) == 1
    assert lines[0].isprintable()
    assert json.loads(lines[0])["user"] == 'x"}\r\n{"event": "sign_in"}\u2028%s'


def test_no_key_and_no_password_is_in_either_log(
    alpha: Cast, lines: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    """Trap 43."""
    with django_capture_on_commit_callbacks(execute=True):
        with schema_context("alpha"):
            collector, first = registry.register("server2", "server2", actor="admin@alpha.example", ip=None)
            token = registry.make_enrolment_token(actor="admin@alpha.example")
            _, second = registry.register_with_token(token, "server3", "server3", ip=None)
            third = registry.rotate(collector, actor="admin@alpha.example", ip=None)
            registry.retire(collector, actor="admin@alpha.example", ip=None)
        for password in (PASSWORD, "a wrong passphrase"):
            alpha.client().post("/sign-in", {"email": "admin@alpha.example", "password": password})
    with schema_context("alpha"):
        events = list(AuditEvent.objects.values())
    assert {event["event"] for event in events} >= {
        "collector.registered", "key.rotated", "collector.retired", "enrolment_token.made", "sign_in", "sign_in_failed",
    }  # fmt: skip
    text = "".join(lines) + repr(events)
    assert len(lines) >= 7
    for secret in (first, second, third, token):
        assert secret.secret not in text
        assert secret.digest not in text
    assert PASSWORD not in text
    assert "a wrong passphrase" not in text
