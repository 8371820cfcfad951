"""The cache on disk, for one machine."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from typing import Any

from diskcache import DjangoCache


class DiskCache(DjangoCache):  # type: ignore[misc]  # diskcache has no types
    """Django closes its caches after every request; each thread's files stay open here, as its database does.

    Limits count with it for nearly every request: a number that lasts some seconds is made, and counted up, in one
    statement, where the library takes transactions of several. What that cannot do, the library does.
    """

    def __init__(self, directory: str, params: dict[str, Any]) -> None:
        super().__init__(directory, params)
        self._expiries: dict[str, float] = {}
        """When what this thread counted lately expires; until then it need not be asked whether it is there."""

    def close(self, **_: object) -> None:
        """Nothing: opening eight files again costs more than all that a request asks of them."""

    def add(self, key: str, value: object, *args: Any, version: int | None = None, **options: Any) -> bool:
        made, now = self.make_key(key, version=version), time.time()
        if self._expiries.get(made, 0) > now:
            return False
        if type(value) is int and len(args) == 1 and not options and random.random() > _LEFT_TO_THE_LIBRARY:  # noqa: S311
            inserted = self._run(_INSERT, made, value=value, now=now, expires=now + args[0])
            if inserted is not None and inserted.rowcount == 1:
                return True
        return not self.has_key(key, version) and bool(super().add(key, value, *args, version=version, **options))

    def incr(self, key: str, delta: int = 1, version: int | None = None, **options: Any) -> int:
        made, now = self.make_key(key, version=version), time.time()
        counted = self._run(_INCREMENT, made, delta=delta, now=now)
        for value, expires in counted.fetchall() if counted is not None else ():
            self._remember(made, expires or now)
            return int(value)
        left = self._expiries.pop(made, 0) - now
        if left > 0 and super().add(key, delta, left, version=version):  # it was removed, for others to have room
            return delta
        return int(super().incr(key, delta, version=version, **options))

    def _remember(self, made: str, expires: float) -> None:
        if len(self._expiries) > _MOST_REMEMBERED:
            self._expiries.clear()
        self._expiries[made] = expires

    def _run(self, statement: str, made: str, **parameters: object) -> sqlite3.Cursor | None:
        """None when it cannot be run: the file is locked, or this SQLite is older than 3.35."""
        shard = self._cache._shards[self._cache._hash(made) % self._cache._count]
        stored, raw = shard._disk.put(made)
        with contextlib.suppress(sqlite3.OperationalError):
            cursor: sqlite3.Cursor = shard._sql(statement, {"key": stored, "raw": raw, **parameters})
            return cursor
        return None


_MOST_REMEMBERED = 10_000
_LEFT_TO_THE_LIBRARY = 1 / 8
"""Of the counters that are made: each removes up to ten that have expired."""
_INSERT = """
    INSERT INTO Cache (key, raw, store_time, expire_time, access_time, mode, value)
    VALUES (:key, :raw, :now, :expires, :now, 1, :value) ON CONFLICT DO NOTHING
"""
_INCREMENT = """
    UPDATE Cache SET value = value + :delta
    WHERE key = :key AND raw = :raw AND (expire_time IS NULL OR expire_time > :now) RETURNING value, expire_time
"""
