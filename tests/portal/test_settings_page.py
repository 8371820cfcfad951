"""The settings of a partner: they take effect with the next request, and touch no other partner's row."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts import partner_settings, tenant_settings
from accounts.models import AuditEvent, Role
from core.tenancy import current_schema, enter_tenant, schema_context
from partners.models import Partner
from tests import samples
from tests.accounts.test_tenant_settings import picture
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


def send(cast: Cast, part: str, **fields: Any) -> str:
    return str(cast.client(Role.ADMIN).post(PATH, {"part": part, **fields}, follow=True).content.decode())


def test_the_zone_of_the_partner_is_on_every_page_when_it_is_chosen_for_everybody(alpha: Cast) -> None:
    client = alpha.client(Role.VIEWER)
    send(alpha, "times", time_zone="Asia/Kolkata", show_times="reader")
    assert "data-zone" not in client.get("/").content.decode()
    send(alpha, "times", time_zone="Asia/Kolkata", show_times="partner")
    assert 'data-zone="Asia/Kolkata"' in client.get("/").content.decode()


def test_a_brand_is_on_every_page_and_on_the_way_in(alpha: Cast, beta: Cast) -> None:
    logo = SimpleUploadedFile("<script>.png", picture())
    send(alpha, "brand", brand_name="<b>Acme</b>", brand_colour="#C83C00", brand_logo=logo)
    for text in (alpha.client(Role.VIEWER).get("/").content.decode(), alpha.client().get("/sign-in").content.decode()):
        assert "&lt;b&gt;Acme&lt;/b&gt;" in text
        assert "/brand/c83c00/colour.css" in text
        assert 'width="240" height="120"' in text
    assert "Acme" not in beta.client().get("/sign-in").content.decode()


def test_logo_and_colour_are_served_as_what_they_are_and_only_here(alpha: Cast, beta: Cast) -> None:
    send(alpha, "brand", brand_name="", brand_colour="#c83c00", brand_logo=SimpleUploadedFile("a.png", picture()))
    with schema_context(alpha.schema):
        logo = f"/brand/{tenant_settings.read().brand_logo_digest}/logo.png"
    for path, kind in ((logo, "image/png"), ("/brand/c83c00/colour.css", "text/css; charset=utf-8")):
        answer = alpha.client().get(path)
        assert (answer.status_code, answer["Content-Type"]) == (200, kind)
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert beta.client().get(path).status_code == 404


def test_a_brand_stays_when_the_form_is_saved_without_a_file_and_goes_when_asked(alpha: Cast) -> None:
    send(alpha, "brand", brand_logo=SimpleUploadedFile("a.png", picture()))
    send(alpha, "brand", brand_name="Acme")
    with schema_context(alpha.schema):
        assert tenant_settings.logo()
    send(alpha, "brand", no_logo="on")
    with schema_context(alpha.schema):
        assert not tenant_settings.logo()


@pytest.mark.parametrize(
    ("part", "bad"),
    [("times", {"time_zone": "Mars/Olympus", "show_times": "reader"}), ("times", {"show_times": "x"}),
     ("brand", {"brand_colour": "red"}), ("brand", {"brand_name": "x" * 61}),
     ("brand", {"brand_logo": SimpleUploadedFile("a.svg", b"<svg onload='alert(1)'/>")})],
    ids=str,
)  # fmt: skip
def test_a_wrong_value_of_any_part_is_said_at_its_field(alpha: Cast, part: str, bad: dict[str, Any]) -> None:
    assert 'class="problem"' in send(alpha, part, **bad)
    with schema_context(alpha.schema):
        assert not AuditEvent.objects.filter(event="settings.changed").exists()


def test_a_page_that_tells_of_an_error_asks_no_database(alpha: Cast, django_assert_num_queries: Any) -> None:
    client = alpha.client()
    client.get("/sign-in")
    with django_assert_num_queries(0):
        assert client.get("/no-such-page").status_code == 404
