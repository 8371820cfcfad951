"""Rate limits: who the client is, how often it came, and how long it has to wait."""

from __future__ import annotations

import ipaddress
import logging
import sqlite3
from collections.abc import Collection
from functools import lru_cache
from typing import Any

import diskcache
import redis
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest
from django_ratelimit.core import get_usage

from core.errors import ServiceError

logger = logging.getLogger("perfanalysis.limits")

CACHE_ERRORS = (redis.RedisError, diskcache.Timeout, sqlite3.Error, OSError)
"""What a cache raises when it is away."""


@lru_cache
def _trusted(networks: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(network) for network in networks)


def _is_trusted(address: str) -> bool:
    """Whether it is one of our proxies; on a socket for both families an IPv4 peer comes as ::ffff:10.0.0.1."""
    if not settings.TRUSTED_PROXIES:
        return False
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(parsed in network for network in _trusted(tuple(settings.TRUSTED_PROXIES)))


def client_ip(request: HttpRequest) -> str:
    """The client's address: the peer's, or the last one before our own proxies in X-Forwarded-For (trap 30)."""
    peer = str(request.META.get("REMOTE_ADDR") or "0.0.0.0")  # noqa: S104  # a name for "unknown", nothing is bound
    if not _is_trusted(peer):
        return peer
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    outside = [hop for hop in reversed(hops) if not _is_trusted(hop)]
    return outside[0] if outside and _is_address(outside[0]) else peer


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def client_network(request: HttpRequest) -> str:
    """What a limit by address counts: an IPv4 address, or the /64 that one IPv6 client has to itself."""
    address = ipaddress.ip_address(client_ip(request))
    return str(address) if address.version == 4 else str(ipaddress.ip_network(f"{address}/64", strict=False))


def limit(request: HttpRequest, group: str, key: str, rate: str, *, fail_open: bool) -> None:
    """Count one use of `group` by `key`; ServiceError RATE_001 with the seconds to wait when the rate is used up.

    Windows are fixed. fail_open: what happens when the cache is away; ingest goes on, sign-in does not (trap 31).
    """
    usage = _count(request, group, key, rate)
    if usage is None:
        if fail_open:
            return
        raise ServiceError("RATE_001", "Sign-in is not possible right now. Try again soon.", retry_after=30)
    if usage["should_limit"]:
        wait = max(1, usage["time_left"])
        raise ServiceError("RATE_001", f"Too many requests. Wait {wait} seconds.", retry_after=wait)


def _count(request: HttpRequest, group: str, key: str, rate: str) -> dict[str, Any] | None:
    """django-ratelimit's answer, None when the cache is away: it raises, or (time_left < 0) it forgets at once."""
    try:
        usage: dict[str, Any] = get_usage(request, group=group, key=lambda *_: key, rate=rate, increment=True)
    except CACHE_ERRORS as error:
        logger.warning("the cache for limits is away: %s", type(error).__name__)
        return None
    return usage if usage["time_left"] >= 0 else None


def shared_get(key: str) -> object:
    """A value of the shared cache, or None when it is not there or the cache is away."""
    try:
        return caches["shared"].get(key)
    except CACHE_ERRORS:
        return None


def shared_set(key: str, value: object, seconds: int) -> None:
    try:
        caches["shared"].set(key, value, seconds)
    except CACHE_ERRORS as error:
        logger.warning("the shared cache is away: %s", type(error).__name__)


def shared_delete(keys: Collection[str]) -> None:
    """With the cache away, what is in it may live on for the seconds that it was set for."""
    try:
        caches["shared"].delete_many(keys)
    except CACHE_ERRORS as error:
        logger.warning("the shared cache is away: %s", type(error).__name__)
