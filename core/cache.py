"""The cache on disk, for one machine."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import Any

from diskcache import DjangoCache


class DiskCache(DjangoCache):  # type: ignore[misc]  # diskcache has no types
    """Django closes its caches after every request; each thread's files stay open here, as its database does."""

    def close(self, **_: object) -> None:
        """Nothing: opening eight files again costs more than all that a request asks of them."""

    def add(self, key: str, *args: Any, version: int | None = None, **options: Any) -> bool:
        """What is there already, as each limit's counter nearly always is, takes a plain read and no write lock."""
        if self.has_key(key, version):
            return False
        return bool(super().add(key, *args, version=version, **options))

    def incr(self, key: str, delta: int = 1, version: int | None = None, **options: Any) -> int:
        """A counter that is there in one statement; the library takes four. What that cannot do, the library does."""
        made = self.make_key(key, version=version)
        fan = self._cache
        shard = fan._shards[fan._hash(made) % fan._count]
        with contextlib.suppress(sqlite3.OperationalError):  # locked, or an SQLite before 3.35
            for (value,) in shard._sql(_INCREMENT, (delta, *shard._disk.put(made), time.time())).fetchall():
                return int(value)
        return int(super().incr(key, delta, version=version, **options))


_INCREMENT = """
    UPDATE Cache SET value = value + ? WHERE key = ? AND raw = ? AND (expire_time IS NULL OR expire_time > ?)
    RETURNING value
"""
