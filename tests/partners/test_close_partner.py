"""manage.py close_partner: deactivate, dump, drop, each an explicit step and none out of order (trap 39)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context, schema_exists

from accounts.models import User
from partners import closing
from partners.models import Domain, Partner
from tests import samples
from tests.cast import Cast


def close(**step: Any) -> None:
    call_command("close_partner", "gamma", **step)


def restore(archive: Path) -> None:
    environment = closing.libpq_environment(connection.settings_dict)
    database = environment["PGDATABASE"]
    subprocess.run(
        [closing._program("pg_restore"), "--exit-on-error", "--dbname", database, str(archive)],
        env=environment,
        check=True,
    )


def test_a_partner_is_deactivated_dumped_and_dropped_and_can_be_restored(gamma: Cast, tmp_path: Path) -> None:
    samples.upload(gamma, {"timestamp": samples.minutes(samples.recent(), 3), "cpu_user": [1.0, 2.0, 3.0]})
    archive = tmp_path / "gamma.dump"
    close(deactivate=True)
    assert Client(headers={"host": gamma.host}).get("/").status_code == 403
    close(dump=archive)
    assert archive.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["gamma.dump"]
    close(drop=archive)
    assert not schema_exists("gamma")
    assert not Partner.objects.filter(schema_name="gamma").exists()
    assert not Domain.objects.filter(domain=gamma.host).exists()
    assert Client(headers={"host": gamma.host}).get("/").status_code == 404
    assert archive.exists()
    restore(archive)
    assert samples.count(gamma) == 3
    with schema_context("gamma"):
        assert User.objects.filter(email="admin@gamma.example").exists()


def test_no_step_can_be_taken_out_of_order(gamma: Cast, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="still active: deactivate it first"):
        close(dump=tmp_path / "gamma.dump")
    with pytest.raises(CommandError, match="still active: deactivate it first"):
        close(drop=tmp_path / "gamma.dump")
    assert list(tmp_path.iterdir()) == []
    close(deactivate=True)
    (tmp_path / "text").write_text("SCHEMA - gamma postgres")
    other = closing.dump(Partner(schema_name="alpha", active=False), tmp_path / "alpha.dump")
    for archive in (tmp_path / "missing", tmp_path / "text", tmp_path, other):
        with pytest.raises(CommandError, match="is no dump of gamma: dump it first"):
            close(drop=archive)
    assert schema_exists("gamma")
    assert Partner.objects.filter(schema_name="gamma").exists()


def test_a_dump_overwrites_nothing_and_says_why_it_cannot_be_written(gamma: Cast, tmp_path: Path) -> None:
    close(deactivate=True)
    (tmp_path / "precious").write_text("old")
    with pytest.raises(CommandError, match="exists already"):
        close(dump=tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "old"
    with pytest.raises(CommandError, match="cannot be written: No such file"):
        close(dump=tmp_path / "missing" / "gamma.dump")
    (tmp_path / "gamma.dump.partial").touch(mode=0o644)
    close(dump=tmp_path / "gamma.dump")
    assert (tmp_path / "gamma.dump").stat().st_mode & 0o777 == 0o600


def test_a_dump_that_fails_leaves_no_file(tmp_path: Path, casts: dict[str, Cast], db: None) -> None:
    with pytest.raises(closing.ClosingError, match=r"pg_dump failed: .*no matching schemas"):
        closing.dump(Partner(schema_name="nobody", active=False), tmp_path / "nobody.dump")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_partner_and_a_missing_step_are_errors(alpha: Cast) -> None:
    with pytest.raises(CommandError, match="There is no partner nobody"):
        call_command("close_partner", "nobody", deactivate=True)
    with pytest.raises(CommandError, match="required"):
        call_command("close_partner", "alpha")
    with pytest.raises(CommandError, match="not allowed with"):
        call_command("close_partner", "alpha", "--deactivate", "--dump", "x")


def test_the_password_goes_to_pg_dump_by_its_environment() -> None:
    """Trap 43: a command line is read by every user of the machine."""
    given = {
        "HOST": "db.example", "PORT": 5433, "USER": "portal", "PASSWORD": "secret", "NAME": "portal",
        "OPTIONS": {"sslmode": "verify-full", "sslrootcert": "/ca.pem", "options": "-c x=y"},
    }  # fmt: skip
    environment = closing.libpq_environment(given)
    added = {name: value for name, value in environment.items() if os.environ.get(name) != value}
    assert added == {
        "PGHOST": "db.example", "PGPORT": "5433", "PGUSER": "portal", "PGPASSWORD": "secret", "PGDATABASE": "portal",
        "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca.pem",
    }  # fmt: skip
