"""System checks of states in which one tenant could reach another's data."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security)
def check_apps_are_apart(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Trap 24: an app in both lists has tables in `public`, to which a tenant without its schema falls open."""
    both = sorted(set(settings.SHARED_APPS) & set(settings.TENANT_APPS) - {"django.contrib.contenttypes"})
    return [Error(f"{app} is both a shared and a tenant app.", id="perf.E001") for app in both]


@register(Tags.security)
def check_caches_are_apart(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Trap 25: tenant data under a plain key crosses tenants; a limit under a tenant key never fires across hosts."""
    keyed = settings.CACHES["default"].get("KEY_FUNCTION") == "django_tenants.cache.make_key"
    plain = "KEY_FUNCTION" not in settings.CACHES["shared"]
    if keyed and plain and settings.RATELIMIT_USE_CACHE == "shared":
        return []
    return [Error("The default cache must be keyed by tenant, the shared one (limits) must not.", id="perf.E002")]


@register(Tags.security)
def check_cookies_are_host_only(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Trap 26: a cookie domain hands one tenant's session to the next host."""
    if settings.SESSION_COOKIE_DOMAIN or settings.CSRF_COOKIE_DOMAIN:
        return [Error("Cookies must not have a domain.", id="perf.E003")]
    return []
