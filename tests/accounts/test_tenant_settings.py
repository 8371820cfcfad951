"""The settings in a tenant's schema: one row, one query, audited, and nobody else's."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from PIL import Image

from accounts import logos, tenant_settings
from accounts.models import AuditEvent, TenantSettings
from core.tenancy import schema_context
from tests.cast import Cast

ACTOR = "admin@alpha.example"


def picture(form: str = "PNG", size: tuple[int, int] = (600, 300), **options: Any) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, (200, 30, 60)).save(written, form, **options)
    return written.getvalue()


@pytest.fixture(autouse=True)
def _in_alpha(alpha: Cast) -> Iterator[None]:
    with schema_context(alpha.schema):
        yield


def change(**wanted: Any) -> None:
    tenant_settings.change(actor=ACTOR, ip=None, **wanted)


def test_the_row_is_there_from_the_start_and_takes_one_query(django_assert_num_queries: Any) -> None:
    tenant_settings.read()  # the search path is set by now
    with django_assert_num_queries(1):
        found = tenant_settings.read()
    assert (found.time_zone, found.show_times, found.brand_name, found.require_mfa) == ("UTC", "reader", "", False)
    assert tenant_settings.logo() == b""


def test_there_is_never_a_second_row() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        TenantSettings.objects.create(id=2)


def test_a_change_is_seen_at_once_and_by_no_other_tenant(beta: Cast) -> None:
    change(time_zone="Europe/Berlin", brand_name="Acme", brand_colour="#aa3300", require_mfa=True)
    found = tenant_settings.read()
    assert (found.time_zone, found.brand_name, found.brand_colour) == ("Europe/Berlin", "Acme", "#aa3300")
    assert found.require_mfa is True
    assert tenant_settings.zone().key == "Europe/Berlin"
    with schema_context(beta.schema):
        assert tenant_settings.read().brand_name == ""


def test_the_audit_log_has_who_and_what_differs() -> None:
    change(time_zone="Europe/Berlin", brand_name="", brand_logo=picture())
    event = AuditEvent.objects.get(event="settings.changed")
    assert event.user == ACTOR
    assert event.detail["time_zone"] == "UTC → Europe/Berlin"
    assert "brand_name" not in event.detail
    assert event.detail["brand_logo"].startswith("0 → ")


def test_no_change_is_no_event() -> None:
    change(brand_logo=picture())
    change(brand_logo=picture(), time_zone="UTC", require_mfa=False)
    assert AuditEvent.objects.filter(event="settings.changed").count() == 1


@pytest.mark.parametrize(
    "bad",
    [{"time_zone": "Mars/Olympus"}, {"time_zone": "../../etc/passwd"}, {"time_zone": ""}, {"brand_colour": "red"},
     {"brand_colour": "#fff"}, {"brand_colour": "#12345g"}, {"brand_name": "x" * 61}, {"show_times": "mine"},
     {"brand_logo": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"}],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_refused_and_changes_nothing(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        change(**{"require_mfa": True} | bad)
    assert tenant_settings.read().require_mfa is False


def test_a_setting_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError):
        change(id=2)


@pytest.mark.parametrize("form", logos.FORMATS)
def test_a_logo_is_drawn_anew_as_a_small_png(form: str) -> None:
    change(brand_logo=picture(form))
    found = tenant_settings.read()
    assert (found.brand_logo_width, found.brand_logo_height) == (240, 120)
    with Image.open(io.BytesIO(tenant_settings.logo())) as logo:
        assert (logo.format, logo.size) == ("PNG", (240, 120))


def test_nothing_hidden_in_a_picture_is_kept() -> None:
    hidden = b"GIF89a<script>alert(1)</script>"
    logo = logos.drawn(picture("JPEG", comment=hidden) + hidden)
    assert b"script" not in logo.png


def test_a_logo_can_be_removed() -> None:
    change(brand_logo=picture())
    change(brand_logo=b"")
    assert (tenant_settings.logo(), tenant_settings.read().brand_logo_digest) == (b"", "")


def test_a_picture_that_unpacks_to_gigabytes_is_refused_from_its_header() -> None:
    bomb = picture(size=(20_000, 3_000))
    assert len(bomb) < logos.MAX_BYTES
    with pytest.raises(ValidationError, match="20,000 × 3,000"):
        logos.drawn(bomb)


@pytest.mark.parametrize("damage", [b"", b"\x89PNG\r\n\x1a\n", picture()[:100], b"\0" * 5_000])
def test_a_damaged_picture_is_refused(damage: bytes) -> None:
    with pytest.raises(ValidationError):
        logos.drawn(damage or b"?")


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValidationError, match="at most"):
        logos.drawn(b"\0" * (logos.MAX_BYTES + 1))
