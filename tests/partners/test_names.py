"""partners.names: which names a schema and a host may have."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from partners.names import RESERVED, check_host, check_schema_name, normal_host


@pytest.mark.parametrize("name", ["ab", "acme", "acme_2", "a" * 48, "pgx"])
def test_a_plain_name_may_be_a_schema(name: str) -> None:
    check_schema_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "a", "2acme", "_acme", "Acme", "acme-2", "acme.2", "acme 2", "acme\n", "a" * 49, "é2", 'a"; DROP SCHEMA x',
        "../x", "a٣", "pg_temp", "pg_toast", *RESERVED,
    ],
)  # fmt: skip
def test_a_bad_or_reserved_name_may_not(name: str) -> None:
    with pytest.raises(ValidationError):
        check_schema_name(name)


@pytest.mark.parametrize("host", ["acme.example", "localhost", "a.b.c.example", "a-b.example", "1st.example", "x" * 63])
def test_a_host_name_may_be_a_host(host: str) -> None:
    check_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "", "Acme.example", "acme.example.", "acme.example:8000", "acme..example", ".example", "-a.example",
        "a-.example", "a_b.example", "x" * 64, "a." * 126 + "bc", "127.0.0.1", "10.1", "[::1]", "::1", "a b",
        "a/b", "a@b", "*.example", "ünï.example", "acme.example\n", "<script>",
    ],
)  # fmt: skip
def test_anything_else_may_not(host: str) -> None:
    with pytest.raises(ValidationError):
        check_host(host)


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("acme.example", "acme.example"),
        ("ACME.Example", "acme.example"),
        ("acme.example.", "acme.example"),
        ("acme.example:8000", "acme.example"),
        ("Acme.Example.:8000", "acme.example"),
        ("acme.example..", "acme.example."),
        ("[::1]", "[::1]"),
        ("[::1]:8000", "[::1]"),
        ("", ""),
    ],
)
def test_a_host_header_is_looked_up_in_its_normal_form(raw: str, normal: str) -> None:
    assert normal_host(raw) == normal
