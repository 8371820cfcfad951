"""The cache on disk, for one machine."""

from __future__ import annotations

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
