"""The database backend: a kept connection is checked without a round trip of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import ProgrammingError, connection
from django.test.utils import CaptureQueriesContext

from tests.cast import Cast


@pytest.fixture
def kept(alpha: Cast) -> Iterator[Any]:
    """A connection of its own, as it is at the start of a request: open, in a tenant, not checked yet."""
    copy: Any = connection.copy()
    copy.ensure_connection()
    copy.set_tenant(alpha.partner, include_public=False)
    copy.health_check_enabled, copy.health_check_done = True, False
    yield copy
    copy.close()


def path_of(kept: Any) -> str:
    with kept.cursor() as cursor:
        cursor.execute("SHOW search_path")
        return str(cursor.fetchone()[0])


def test_the_check_of_a_kept_connection_is_the_setting_of_its_path(kept: Any) -> None:
    with CaptureQueriesContext(kept) as queries:
        assert path_of(kept) == "alpha"
        assert path_of(kept) == "alpha"
    assert [query["sql"] for query in queries] == ["SHOW search_path"] * 2


def test_the_next_tenant_of_a_kept_connection_has_its_own_path(kept: Any, beta: Cast) -> None:
    assert path_of(kept) == "alpha"
    kept.set_tenant(beta.partner, include_public=False)
    assert path_of(kept) == "beta"


def test_a_kept_connection_that_is_closed_is_opened_again(kept: Any) -> None:
    kept.connection.close()
    assert path_of(kept) == "alpha"


def test_a_path_that_was_rolled_back_is_set_again(kept: Any) -> None:
    kept.set_autocommit(False)
    assert path_of(kept) == "alpha"
    kept.rollback()
    assert path_of(kept) == "alpha"


def test_the_first_question_of_a_request_sets_the_path_in_its_round_trip(kept: Any, beta: Cast) -> None:
    ask = "SELECT current_schema()::text WHERE %s"
    assert kept.ask(ask, [True]) == ("alpha",)
    assert kept.health_check_done
    assert path_of(kept) == "alpha"
    kept.set_tenant(beta.partner, include_public=False)
    assert kept.ask(ask, [True]) == ("beta",)
    assert kept.ask(ask, [False]) is None


def test_the_first_question_finds_a_connection_that_is_closed_and_opens_another(kept: Any) -> None:
    kept.connection.close()
    assert kept.ask("SELECT current_schema()::text", []) == ("alpha",)
    assert path_of(kept) == "alpha"


def test_a_first_question_that_fails_leaves_no_path_behind(kept: Any, beta: Cast) -> None:
    with pytest.raises(ProgrammingError):
        kept.ask("SELECT nonsense", [])
    kept.set_tenant(beta.partner, include_public=False)
    assert path_of(kept) == "beta"


def test_a_question_without_a_connection_opens_one(kept: Any) -> None:
    kept.close()
    assert kept.ask("SELECT current_schema()::text", []) == ("alpha",)
