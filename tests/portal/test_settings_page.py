"""The settings of a partner: they take effect with the next request, and touch no other partner's row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts import partner_settings
from accounts.models import AuditEvent, Role
from core.tenancy import current_schema, enter_tenant, schema_context
from partners.models import Partner
from tests import samples
from tests.cast import Cast

PATH = "/manage/settings"
GOOD = {"name": "Alpha Ltd", "retention_days": "120", "rollup_retention_days": "800"}


def post(cast: Cast, **fields: str) -> str:
    return str(cast.client(Role.ADMIN).post(PATH, {**GOOD, **fields}, follow=True).content.decode())


def row(cast: Cast) -> dict[str, Any]:
    with schema_context("public"):
        return dict(Partner.objects.filter(schema_name=cast.schema).values().get())


def test_they_take_effect_with_the_next_request(alpha: Cast) -> None:
    client = alpha.client(Role.VIEWER)
    assert "Alpha Ltd" not in client.get("/").content.decode()
    old = samples.csv(samples.recent() - timedelta(days=100), [1.0])
    upload = "/api/v1/performance/upload"
    assert alpha.machine_client().post(upload, old, content_type="text/csv").status_code == 400
    assert "The settings are changed." in post(alpha)
    assert "Alpha Ltd" in client.get("/").content.decode()
    assert alpha.machine_client().post(upload, old, content_type="text/csv").status_code == 201


def test_no_other_partners_row_is_touched(alpha: Cast, beta: Cast) -> None:
    before = row(beta)
    post(alpha)
    assert row(beta) == before
    assert row(alpha)["rollup_retention_days"] == 800


def test_nothing_but_the_settings_can_be_set(alpha: Cast) -> None:
    post(alpha, schema_name="beta", active="", is_operator="on", paid_until="2099-01-01")
    found = row(alpha)
    fixed = ("schema_name", "active", "is_operator", "paid_until")
    assert [found[name] for name in fixed] == ["alpha", True, False, None]


def test_the_audit_log_has_what_differs(alpha: Cast) -> None:
    post(alpha, name="Alpha")
    with schema_context(alpha.schema):
        event = AuditEvent.objects.get(event="settings.changed")
    assert event.user == "admin@alpha.example"
    assert event.detail == {"retention_days": "90 → 120", "rollup_retention_days": "730 → 800"}


def test_no_change_is_no_event(alpha: Cast) -> None:
    post(alpha, name="Alpha", retention_days="90", rollup_retention_days="730")
    with schema_context(alpha.schema):
        assert not AuditEvent.objects.filter(event="settings.changed").exists()


def test_keeping_less_has_to_be_confirmed(alpha: Cast) -> None:
    assert "You keep less than before" in post(alpha, retention_days="30")
    assert row(alpha)["retention_days"] == 90
    assert "The settings are changed." in post(alpha, retention_days="30", confirmed="on")
    assert row(alpha)["retention_days"] == 30


@pytest.mark.parametrize(
    "bad",
    [{"name": ""}, {"retention_days": "6"}, {"retention_days": "3661"}, {"rollup_retention_days": "100"},
     {"retention_days": "x"}, {"name": "\0"}],
    ids=str,
)  # fmt: skip
def test_what_is_out_of_bounds_is_said_at_the_field(alpha: Cast, bad: dict[str, str]) -> None:
    assert 'class="problem"' in post(alpha, **bad)
    assert row(alpha)["name"] == "Alpha"


def test_the_request_stays_in_its_tenant(alpha: Cast) -> None:
    enter_tenant(alpha.partner)
    assert partner_settings.read().name == "Alpha"
    assert current_schema() == "alpha"
