"""Who may see a page: every view declares its action of the matrix here, and nothing else decides it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from accounts import factors, roles, tenant_settings
from accounts.models import Role, TenantSettings, User
from accounts.roles import Action
from core.errors import ServiceError, not_found, respond
from partners.middleware import TenantRequest

P = ParamSpec("P")


class PageRequest(TenantRequest):
    """A request that `page` let through."""

    user: User


PageView = Callable[Concatenate[PageRequest, P], HttpResponseBase]
UrlView = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def page(action: Action | None, *methods: str) -> Callable[[PageView[P]], UrlView[P]]:
    """Declare what a view does (None: for anyone, signed in or not) and its methods (GET and HEAD without any).

    Nobody signed in is sent to sign in and back; a lower role is a 403, another method a 405.
    """
    allowed = methods or ("GET", "HEAD")

    def declare(view: PageView[P]) -> UrlView[P]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            refusal = _refuse_role(request, action) or _refuse_session(request, action)
            refusal = refusal or _refuse_method(request, allowed)
            return refusal or view(cast(PageRequest, request), *args, **kwargs)

        guarded.action = action  # type: ignore[attr-defined]  # read by the tests, which try every page as every role
        guarded.methods = allowed  # type: ignore[attr-defined]
        return cast("UrlView[P]", guarded)

    return declare


def operator_page(*methods: str) -> Callable[[PageView[P]], UrlView[P]]:
    """As `page` for the operator's Admins, at the operator's own host; anywhere else there is nothing there."""

    def declare(view: PageView[P]) -> UrlView[P]:
        at_operator = page(roles.OPERATE, *methods)(view)

        @wraps(at_operator)
        def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not cast(PageRequest, request).tenant.is_operator:
                return not_found(request)
            return at_operator(request, *args, **kwargs)

        guarded.operator_only = True  # type: ignore[attr-defined]  # read by the tests
        return cast("UrlView[P]", guarded)

    return declare


def tenant_row(request: HttpRequest) -> TenantSettings:
    """The tenant's settings, read once for a request."""
    if not hasattr(request, "tenant_row"):
        request.tenant_row = tenant_settings.read()  # type: ignore[attr-defined]
    row: TenantSettings = request.tenant_row  # type: ignore[attr-defined]
    return row


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for the part of the page that refreshes, and not for a page out of its history."""
    return "HX-Request" in request.headers and "HX-History-Restore-Request" not in request.headers


def _refuse_role(request: HttpRequest, action: Action | None) -> HttpResponse | None:
    if action is None:
        return None
    if not isinstance(request.user, User):
        return _to_sign_in(request)
    if action.allows(request.user):
        return None
    if request.user.is_visitor and not action.visitor:
        return respond(
            request, ServiceError("AUTH_003", "The operator's visitors may not do this in a customer's place.")
        )
    own, needed = Role(request.user.role).label, action.least.label if action.least else "of nobody"
    return respond(request, ServiceError("AUTH_003", f"This needs the role {needed}; yours is {own}. Ask an Admin."))


def _refuse_session(request: HttpRequest, action: Action | None) -> HttpResponse | None:
    """Without the second factor that the tenant asks for, only one's own account is open: there it is set up."""
    if action in (None, roles.OWN_ACCOUNT, roles.SIGN_OUT) or not factors.is_missing(
        request.session, tenant_row(request)
    ):
        return None
    there = reverse("security")
    return HttpResponseClientRedirect(there) if wants_fragment(request) else HttpResponseRedirect(there)


def _refuse_method(request: HttpRequest, allowed: tuple[str, ...]) -> HttpResponse | None:
    if request.method in allowed:
        return None
    response = respond(request, ServiceError("REQUEST_002", f"This address does not take {request.method}."))
    response["Allow"] = ", ".join(allowed)
    return response


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """A redirect to sign-in that comes back here; a fragment's poll moves the whole page."""
    if wants_fragment(request):
        return HttpResponseClientRedirect(reverse("sign-in"))
    back = request.get_full_path() if request.method in ("GET", "HEAD") else reverse("fleet")
    return HttpResponseRedirect(f"{reverse('sign-in')}?{urlencode({'next': back})}")
