"""core.sealed: what is sealed opens for the same tenant, purpose and key only (trap 26)."""

from __future__ import annotations

from typing import Any

import pytest

from core.sealed import SealBrokenError, seal, unseal
from core.tenancy import schema_context
from tests.cast import Cast

SECRET = "https://hooks.example/T000/B000/πάσς"


def test_what_is_sealed_opens_again_and_shows_nothing(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        first, second = seal(SECRET, "channel"), seal(SECRET, "channel")
        assert unseal(first, "channel") == unseal(second, "channel") == SECRET
    assert first != second
    assert "hooks" not in first


def test_another_tenant_cannot_open_it(alpha: Cast, beta: Cast) -> None:
    with schema_context(alpha.schema):
        sealed = seal(SECRET, "channel")
    with schema_context(beta.schema), pytest.raises(SealBrokenError):
        unseal(sealed, "channel")


def test_another_purpose_cannot_open_it(alpha: Cast) -> None:
    with schema_context(alpha.schema), pytest.raises(SealBrokenError):
        unseal(seal(SECRET, "channel"), "sign-in")


def test_names_that_join_to_the_same_text_make_different_keys(alpha: Cast) -> None:
    with schema_context("alphac"):
        sealed = seal(SECRET, "hannel")
    with schema_context(alpha.schema), pytest.raises(SealBrokenError):
        unseal(sealed, "channel")


def test_what_was_changed_does_not_open(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        sealed = seal(SECRET, "channel")
        with pytest.raises(SealBrokenError):
            unseal(sealed[:-6] + "AAAA==", "channel")


def test_after_a_change_of_the_secret_key_the_old_one_still_opens(alpha: Cast, settings: Any) -> None:
    with schema_context(alpha.schema):
        sealed = seal(SECRET, "channel")
        before, settings.SECRET_KEY = settings.SECRET_KEY, "another " * 8
        with pytest.raises(SealBrokenError):
            unseal(sealed, "channel")
        settings.SECRET_KEY_FALLBACKS = [before]
        assert unseal(sealed, "channel") == SECRET
