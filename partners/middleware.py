"""Chooses the tenant by the request's host, before anything else asks the database."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from core.errors import ServiceError, respond
from core.tenancy import enter_tenant, leave_tenant
from partners import hosts
from partners.names import normal_host

HEALTH_PATHS = frozenset({"/health", "/api/v1/status"})


class TenantRequest(HttpRequest):
    """A request after HostMiddleware."""

    tenant: hosts.Tenant


class HostMiddleware:
    """Unknown host: 404. Suspended or unpaid partner: 403. Health checks are answered without a tenant."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        leave_tenant()
        if request.path in HEALTH_PATHS:
            return self.get_response(request)
        try:
            tenant = _open_tenant(request)
        except ServiceError as error:
            return respond(request, error)
        request.tenant = tenant  # type: ignore[attr-defined]  # TenantRequest from here on
        enter_tenant(tenant)
        return self.get_response(request)


def _open_tenant(request: HttpRequest) -> hosts.Tenant:
    try:
        host = normal_host(request.get_host())
    except DisallowedHost:
        raise ServiceError("TENANT_001", "There is no customer at this host name.") from None
    tenant = hosts.find(host)
    if tenant is None:
        raise ServiceError("TENANT_001", "There is no customer at this host name.")
    if not tenant.is_open(timezone.now().date()):
        more = f" More: {tenant.info_url}" if tenant.info_url else ""
        raise ServiceError("TENANT_002", f"This account is suspended or no longer paid for.{more}")
    return tenant
