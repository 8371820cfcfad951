"""core.settings: all from the environment, documented, and refused with one sentence when wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import environ
import pytest
from django.conf import global_settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from core import documents, environment, settings

PROJECT = Path(settings.BASE_DIR)
PRODUCTION = {"DATABASE_URL": "postgres://portal:secret@db.example:5432/portal", "SECRET_KEY": "0aA$-" * 12}
DECLARED = {variable.name: variable for variable in settings.VARIABLES}


def run(*arguments: str, data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A fresh Python with nothing of our own environment."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=PROJECT, capture_output=True, text=True, check=False,
        env={"DJANGO_SETTINGS_MODULE": "core.settings", "DATA_DIR": str(data_dir), **variables},
    )  # fmt: skip


def loaded(*names: str, data_dir: Path, **variables: str) -> dict[str, Any]:
    """Settings as a fresh process has them."""
    code = f"import json; from core import settings; print(json.dumps({{n: getattr(settings, n) for n in {names!r}}}))"
    done = run("-c", code, data_dir=data_dir, **variables)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_page_of_settings_lists_every_variable() -> None:
    text = (PROJECT / "docs" / "settings.md").read_text()
    for variable in settings.VARIABLES:
        assert f"| `{variable.name}` |" in text
        assert variable.sentence in text


def test_the_generated_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("docs", check=True)
    assert capsys.readouterr().out == "docs: up to date\n"


def test_a_page_that_is_out_of_date_fails_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    (tmp_path / "docs").mkdir()
    settings.BASE_DIR = tmp_path
    with pytest.raises(CommandError, match=r"Out of date: metrics.md, settings.md, errors.md"):
        call_command("docs", check=True)
    call_command("docs")
    assert {path.name for path in (tmp_path / "docs").iterdir()} == set(documents.pages())
    call_command("docs", check=True)


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("DEBUG", "maybe", "true or false"),
        ("HTTPS", "ture", "true or false"),
        ("UPLOAD_MAX_MB", "64MB", "a whole number above 0"),
        ("UPLOAD_MAX_MB", "0", "a whole number above 0"),
        ("LATE_SECONDS", "-1", "a whole number"),
        ("LATE_SECONDS", "1_000", "a whole number"),
        ("SILENT_SECONDS", "٣", "a whole number"),
        ("REQUEST_RATE", "fast", "a number of times per s, m, h or d, like 100/m"),
        ("UPLOAD_RATE", "0/m", "a number of times per s, m, h or d, like 100/m"),
        ("SIGN_IN_RATE", "10/w", "a number of times per s, m, h or d, like 100/m"),
        ("TRUSTED_PROXIES", "10.0.0.0/33", "networks like"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy", "networks like"),
        ("LOG_LEVEL", "LOUD", "DEBUG, INFO, WARNING or ERROR"),
        ("CACHE_URL", "localhost:6379", "an address like redis://host:6379/0"),
        ("CACHE_URL", "redis://", "an address like redis://host:6379/0"),
        ("DATABASE_URL", "db.example/portal", "an address like postgres://"),
        ("DATABASE_URL", "mysql://user:password@db.example/portal", "an address like postgres://"),
        ("DATABASE_URL", "postgres://user:password@db.example:5432", "an address like postgres://"),
        ("DATABASE_URL", "postgres://user:password@db.example:port/portal", "an address like postgres://"),
        ("DATABASE_URL", "postgres://user:pass#word@db.example/portal", "an address like postgres://"),
        ("DATABASE_URL", "postgres://user:pass/word@db.example/portal", "an address like postgres://"),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence_that_names_the_variable(name: str, value: str, form: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        environment.read(DECLARED[name], {name: value})
    assert str(refused.value).startswith(f"{name} must be {form}")
    assert "password" not in str(refused.value).replace("user:password@host", "")


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("HTTPS", "False", False),
        ("HTTPS", "0", False),
        ("DEBUG", "on", True),
        ("UPLOAD_MAX_MB", " 128 ", 128),
        ("KEY_OVERLAP_HOURS", "0", 0),
        ("REQUEST_RATE", "5/s", "5/s"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1", ["10.0.0.0/8", "::1/128"]),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("CACHE_URL", "rediss://:secret@cache.example:6379/1", "rediss://:secret@cache.example:6379/1"),
        ("SECRET_KEY", "$tarts with a dollar", "$tarts with a dollar"),
    ],
)
def test_a_good_value_is_read(name: str, value: str, read: object) -> None:
    assert environment.read(DECLARED[name], {name: value}) == read


@pytest.mark.parametrize("variable", settings.VARIABLES, ids=lambda variable: variable.name)
def test_an_absent_or_empty_variable_has_its_default(variable: environment.Variable) -> None:
    assert environment.read(variable, {}) == variable.default
    assert environment.read(variable, {variable.name: ""}) == variable.default


def test_a_wrong_value_stops_the_start(tmp_path: Path) -> None:
    done = run("manage.py", "check", data_dir=tmp_path, **PRODUCTION, HTTPS="ture")
    assert done.returncode != 0
    assert done.stderr.strip().split("\n")[-1].endswith("HTTPS must be true or false.")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://u:p@db.example:5433/portal", {"HOST": "db.example", "PORT": 5433, "NAME": "portal", "USER": "u"}),
        ("postgresql://u:p%2F%23@db.example/portal", {"HOST": "db.example", "PORT": "", "PASSWORD": "p/#"}),
        ("postgres://u@/%2Frun%2Fpostgresql/portal", {"HOST": "/run/postgresql", "NAME": "portal", "USER": "u"}),
        ("postgres://u:p@[::1]:5432/portal", {"HOST": "::1", "PORT": 5432}),
        ("postgres://u:p@db.example/portal?sslmode=verify-full", {"OPTIONS": {"sslmode": "verify-full"}}),
    ],
)
def test_the_forms_of_a_database_url(url: str, expected: dict[str, object]) -> None:
    config = environ.Env.db_url_config(environment.read(DECLARED["DATABASE_URL"], {"DATABASE_URL": url}))
    assert expected.items() <= config.items()


def test_without_a_database_url_the_database_is_the_embedded_one(tmp_path: Path) -> None:
    database = loaded("DATABASES", data_dir=tmp_path)["DATABASES"]["default"]
    assert database["ENGINE"] == "core.postgresql"
    assert database["HOST"].startswith("/")
    assert (database["USER"], database["NAME"]) == ("postgres", "postgres")


def test_the_secret_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = loaded("SECRET_KEY", data_dir=tmp_path)["SECRET_KEY"]
    assert len(first) >= 64
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert loaded("SECRET_KEY", data_dir=tmp_path)["SECRET_KEY"] == first
    assert {path.name for path in tmp_path.iterdir()} == {"secret_key"}


def test_two_processes_that_make_the_secret_key_at_once_have_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_was_faster(_: int) -> str:
        (tmp_path / "secret_key").write_text("the other's")
        return "mine"

    monkeypatch.setattr("secrets.token_urlsafe", other_was_faster)
    assert settings._secret_key(tmp_path) == "the other's"


def test_the_deployment_check_is_clean_in_production(tmp_path: Path) -> None:
    done = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", data_dir=tmp_path, **PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_the_deployment_check_can_fail(tmp_path: Path) -> None:
    done = run(
        "manage.py", "check", "--deploy", "--fail-level", "WARNING", data_dir=tmp_path, **PRODUCTION, HTTPS="false"
    )
    assert done.returncode != 0
    assert "security.W012" in done.stderr


def test_in_production_cookies_belong_to_one_host_and_travel_over_tls_only(tmp_path: Path) -> None:
    """Trap 26."""
    names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "DEBUG")
    found = loaded(*names, "SECURE_SSL_REDIRECT", data_dir=tmp_path, **PRODUCTION)
    assert found == {
        "SESSION_COOKIE_NAME": "__Host-sessionid", "CSRF_COOKIE_NAME": "__Host-csrftoken",
        "SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True, "DEBUG": False, "SECURE_SSL_REDIRECT": True,
    }  # fmt: skip
    assert not hasattr(settings, "SESSION_COOKIE_DOMAIN")
    assert not hasattr(settings, "CSRF_COOKIE_DOMAIN")


def test_in_production_passwords_are_hashed_slowly(tmp_path: Path) -> None:
    """Tests hash them fast; what they run without is Django's own list, with PBKDF2 first."""
    assert not hasattr(settings, "PASSWORD_HASHERS")
    assert global_settings.PASSWORD_HASHERS[0].endswith(".PBKDF2PasswordHasher")
    assert PBKDF2PasswordHasher.iterations >= 1_000_000


def test_redis_that_hangs_does_not_hang_a_request(tmp_path: Path) -> None:
    caches = loaded("CACHES", data_dir=tmp_path, **PRODUCTION, CACHE_URL="redis://cache.example:6379/0")["CACHES"]
    for alias in ("default", "shared"):
        assert caches[alias]["OPTIONS"] == {"socket_connect_timeout": 1, "socket_timeout": 1}
    assert caches["default"]["KEY_FUNCTION"] == "django_tenants.cache.make_key"
    assert "KEY_FUNCTION" not in caches["shared"]


def test_mail_is_sent_when_there_is_a_server_for_it(tmp_path: Path) -> None:
    names = ("SENDS_MAIL", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD", "EMAIL_USE_TLS")
    url = "smtp+tls://portal:se%40cret@mail.example:587"
    found = loaded(*names, data_dir=tmp_path, EMAIL_URL=url)
    assert tuple(found.values()) == (True, "mail.example", 587, "portal", "se@cret", True)
    assert loaded("SENDS_MAIL", data_dir=tmp_path) == {"SENDS_MAIL": False}
