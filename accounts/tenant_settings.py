"""The settings in a tenant's own schema: time zone, brand, second factors. Name and retention: `partner_settings`.

Every read is one query of one row; nothing is remembered between requests.
"""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import audit, logos
from accounts.models import TenantSettings

ROW = 1
NAMES = frozenset({"time_zone", "show_times", "brand_name", "brand_colour", "brand_logo", "require_mfa"})
_COLOUR = re.compile(r"#[0-9a-f]{6}")


def read() -> TenantSettings:
    """All but the logo's bytes, which pages do not need: a second query fetches them when they are asked for."""
    return TenantSettings.objects.defer("brand_logo").get(pk=ROW)


def logo() -> bytes:
    """PNG, or empty."""
    return bytes(TenantSettings.objects.values_list("brand_logo", flat=True).get(pk=ROW))


def zone() -> ZoneInfo:
    return ZoneInfo(read().time_zone)


def change(*, actor: str, ip: str | None, **wanted: Any) -> None:
    """Set those of NAMES that are given, from the next request on; the audit log gets what differs.

    `brand_logo` takes the bytes of any picture that `logos.drawn` takes, or empty bytes for none. ValidationError
    changes nothing.
    """
    unknown = wanted.keys() - NAMES
    if unknown:
        raise TypeError(f"no settings of a tenant: {', '.join(sorted(unknown))}")
    if "brand_logo" in wanted:
        wanted |= _logo_fields(wanted["brand_logo"])
    with transaction.atomic():
        row = TenantSettings.objects.select_for_update().get(pk=ROW)
        changed = {name: getattr(row, name) for name, value in wanted.items() if _differs(getattr(row, name), value)}
        _write(row, {name: wanted[name] for name in changed})
        if changed:
            detail: dict[str, Any] = {name: _told(name, changed[name], wanted[name]) for name in changed}
            audit.record("settings.changed", user=actor, ip=ip, **detail)


def _logo_fields(data: bytes) -> dict[str, Any]:
    logo = logos.drawn(data) if data else logos.NONE
    return {
        "brand_logo": logo.png, "brand_logo_digest": logo.digest, "brand_logo_width": logo.width,
        "brand_logo_height": logo.height,
    }  # fmt: skip


def _differs(now: Any, wanted: Any) -> bool:
    return bool((bytes(now) if isinstance(now, memoryview) else now) != wanted)


def _write(row: TenantSettings, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.full_clean()
    check_zone(row.time_zone)
    check_colour(row.brand_colour)
    row.save(update_fields=list(values))


def _told(name: str, before: Any, after: Any) -> str:
    if name == "brand_logo":
        return f"{len(before)} → {len(after)} bytes"
    return f"{before or 'none'} → {after or 'none'}" if isinstance(after, str) else f"{before} → {after}"


def check_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is no time zone; Europe/Berlin and UTC are.")


def check_colour(colour: str) -> None:
    if colour and not _COLOUR.fullmatch(colour):
        raise ValidationError(f"{colour!r} is no colour; #0b5c93 is.")
