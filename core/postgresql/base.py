"""`ENGINE = "core.postgresql"`: Django finds its DatabaseWrapper here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg2
from django_tenants.postgresql_backend import base


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]  # django-tenants has no types
    """A kept connection is checked by the `SET search_path` that each request needs, not by a `SELECT 1` before it."""

    def is_usable(self) -> bool:
        if self.connection is None:
            return False
        self.search_path_set_schemas = None
        try:
            with self.connection.cursor() as cursor:
                self._handle_search_path(cursor)
        except psycopg2.Error:
            return False
        return self.search_path_set_schemas is not None

    def ask(self, sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
        """The first row of a query that a request begins with, with the setting of the path in its round trip."""
        if self.connection is None or self.in_atomic_block or self.search_path_set_schemas:
            return self._ask(sql, values)
        paths = self._get_cursor_search_paths()
        path = ",".join(map(base.quote_schema_name, paths))
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(f"SET search_path = {path}; {sql}", values)
                row: tuple[Any, ...] | None = cursor.fetchone()
        except psycopg2.Error:  # most likely the connection is gone, which is found out there
            return self._ask(sql, values)
        self.search_path_set_schemas, self.health_check_done = paths, True
        return row

    def _ask(self, sql: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
        with self.cursor() as cursor:
            cursor.execute(sql, values)
            row: tuple[Any, ...] | None = cursor.fetchone()
        return row
