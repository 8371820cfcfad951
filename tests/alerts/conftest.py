"""Simulated worlds live in Alpha's schema; the transaction of the test takes them away again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.tenancy import schema_context
from tests.cast import Cast


@pytest.fixture
def inside_alpha(alpha: Cast) -> Iterator[Cast]:
    with schema_context(alpha.schema):
        yield alpha
