"""The cache on disk, for one machine."""

from __future__ import annotations

from diskcache import DjangoCache


class DiskCache(DjangoCache):  # type: ignore[misc]  # diskcache has no types
    """Django closes its caches after every request; each thread's files stay open here, as its database does."""

    def close(self, **_: object) -> None:
        """Nothing: opening eight files again costs more than all that a request asks of them."""
