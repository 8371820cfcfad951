"""`ENGINE = "core.postgresql"`: Django finds its DatabaseWrapper here."""

from __future__ import annotations

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
