"""The cache on disk, for one machine."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from typing import Any

from diskcache import DjangoCache


class DiskCache(DjangoCache):  # type: ignore[misc]  # diskcache has no types
    """Django closes its caches after every request; each thread's files stay open here, as its database does."""

    def close(self, **_: object) -> None:
        """Nothing: opening eight files again costs more than all that a request asks of them."""

    def add(self, key: str, value: object, *args: Any, version: int | None = None, **options: Any) -> bool:
        """A number that lasts some seconds, as a limit's counter does, in one statement; the library takes a
        transaction of several. What is there already takes a plain read and no write lock. All else the library
        does, and this now and then, because it then removes what has expired."""
        if self.has_key(key, version):
            return False
        if type(value) is int and len(args) == 1 and not options and random.random() > _LEFT_TO_THE_LIBRARY:  # noqa: S311
            now = time.time()
            if self._run(_INSERT, key, version, value=value, now=now, expires=now + args[0]) is not None:
                return True
        return bool(super().add(key, value, *args, version=version, **options))

    def incr(self, key: str, delta: int = 1, version: int | None = None, **options: Any) -> int:
        """A counter that is there in one statement; the library takes four. What that cannot do, the library does."""
        value = self._run(_INCREMENT, key, version, delta=delta, now=time.time())
        return int(super().incr(key, delta, version=version, **options)) if value is None else value

    def _run(self, statement: str, key: str, version: int | None, **parameters: object) -> int | None:
        """The number that the statement returns; None when it changed nothing, or could not be run."""
        made = self.make_key(key, version=version)
        shard = self._cache._shards[self._cache._hash(made) % self._cache._count]
        stored, raw = shard._disk.put(made)
        with contextlib.suppress(sqlite3.OperationalError):  # locked, or an SQLite before 3.35
            for (value,) in shard._sql(statement, {"key": stored, "raw": raw, **parameters}).fetchall():
                return int(value)
        return None


_LEFT_TO_THE_LIBRARY = 1 / 8
"""Of the counters that are made: each removes up to ten that have expired."""
_INSERT = """
    INSERT INTO Cache (key, raw, store_time, expire_time, access_time, mode, value)
    VALUES (:key, :raw, :now, :expires, :now, 1, :value) ON CONFLICT DO NOTHING RETURNING value
"""
_INCREMENT = """
    UPDATE Cache SET value = value + :delta
    WHERE key = :key AND raw = :raw AND (expire_time IS NULL OR expire_time > :now) RETURNING value
"""
