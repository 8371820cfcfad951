"""Closing a partner in three explicit steps: deactivate, dump, drop (trap 39)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.db import connection

from core import embedded
from partners.models import Partner


class ClosingError(Exception):
    """A step that may not be taken yet, or that failed; nothing was dropped."""


def deactivate(partner: Partner) -> None:
    partner.active = False
    partner.save(update_fields=["active"])


def dump(partner: Partner, target: Path) -> Path:
    """The whole schema as a pg_dump archive (custom format), mode 0600; it exists under `target` only when complete."""
    if partner.active:
        raise ClosingError(f"{partner.schema_name} is still active: deactivate it first.")
    if target.exists():
        raise ClosingError(f"{target} exists already: choose another file.")
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise ClosingError(f"{partial} cannot be written: {error.strerror}.") from None
    command = [_program("pg_dump"), "--format=custom", f"--schema={partner.schema_name}", "--file", str(partial)]
    done = subprocess.run(
        command, env=libpq_environment(connection.settings_dict), capture_output=True, text=True, check=False
    )
    if done.returncode:
        partial.unlink()
        raise ClosingError(f"pg_dump failed: {done.stderr.strip()}")
    partial.rename(target)
    return target


def drop(partner: Partner, archive: Path) -> None:
    """Drop the schema and forget the partner; only after a complete dump of it."""
    if partner.active:
        raise ClosingError(f"{partner.schema_name} is still active: deactivate it first.")
    if not _lists_schema(archive, partner.schema_name):
        raise ClosingError(f"{archive} is no dump of {partner.schema_name}: dump it first.")
    partner.delete(force_drop=True)


def _lists_schema(archive: Path, schema: str) -> bool:
    if not archive.is_file():
        return False
    listing = subprocess.run(
        [_program("pg_restore"), "--list", str(archive)], capture_output=True, text=True, check=False
    )
    return listing.returncode == 0 and f" SCHEMA - {schema} " in listing.stdout


def _program(name: str) -> str:
    """A PostgreSQL client program: the embedded server's own, which is at least as new as any server it meets here."""
    packaged = embedded.packaged_programs() / name
    found = str(packaged) if packaged.exists() else shutil.which(name)
    if not found:
        raise ClosingError(f"{name} is not installed.")
    return found


def libpq_environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """Django's settings of a connection as libpq variables: no password on a command line (trap 43)."""
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    given = {name: str(settings[key]) for name, key in names.items() if settings.get(key)}
    options = {f"PG{name.upper()}": str(value) for name, value in settings["OPTIONS"].items() if name.startswith("ssl")}
    return {**os.environ, **given, **options}
