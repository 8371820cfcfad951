"""Who is calling: a machine by its key, a new machine by an enrolment token, a person by a session or a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from accounts import factors, tenant_settings, tokens
from accounts.models import PersonalToken, User
from collectors import keys, registry
from collectors.models import Collector
from core.errors import ServiceError
from core.keys import Secret, parse


@dataclass(frozen=True)
class Machine:
    """The caller is a registered machine, by the key of that id."""

    collector: Collector
    key_id: str
    is_authenticated: bool = True

    @property
    def actor(self) -> str:
        return f"machine:{self.collector.machine_id}"


@dataclass(frozen=True)
class Enrolment:
    """The caller has an enrolment token, not checked yet: only using it up decides."""

    token: keys.Secret
    is_authenticated: bool = True


Caller = User | Machine | Enrolment | AnonymousUser


def machine(request: Request) -> Machine:
    """The caller of a view that only machines may call."""
    if not isinstance(request.user, Machine):
        raise ServiceError("AUTH_003", "Only a machine's key may do this.")
    return request.user


def is_machine(request: Request) -> bool:
    """Whether the caller is a machine, by a valid key; a bad one is no error here, the view refuses it next."""
    try:
        return isinstance(request.user, Machine)
    except (ServiceError, APIException):
        return False


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer pfa_…` (a machine), `pfe_…` (an enrolment) or `pft_…` (a person)."""

    def authenticate(self, request: Request) -> tuple[User | Machine | Enrolment, PersonalToken | None] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise ServiceError("AUTH_002", "Send the key as `Authorization: Bearer pfa_…`.")
        secret = parse(text.strip(), keys.MACHINE, keys.ENROLMENT, tokens.PERSONAL)
        if secret and secret.prefix == keys.ENROLMENT:
            return Enrolment(secret), None
        if secret and secret.prefix == tokens.PERSONAL:
            token = _token(secret, request.method)
            return token.user, token
        return machine_of(secret), None


def machine_of(secret: Secret | None) -> Machine:
    """The machine of a key; None is what has not the form of one."""
    collector = registry.authenticate(secret) if secret else None
    if secret is None or collector is None:
        raise ServiceError("AUTH_001", "The key is not valid.")
    return Machine(collector, secret.public_id)


def _token(secret: Secret, method: str | None) -> PersonalToken:
    """The token, whose scope covers the method; what its user's role allows is the view's to ask."""
    token = tokens.authenticate(secret)
    if token is None:
        raise ServiceError("AUTH_001", "The token is not valid.")
    if not tokens.allows(token, method):
        raise ServiceError("AUTH_003", "This token may only read. Make one with the scope admin.")
    return token


class SessionOfTenant(SessionAuthentication):
    """The browser's session; unsafe methods need the CSRF token. Roles are read afresh on every request (trap 42)."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """As pages do, it refuses a session without the second factor that the tenant asks for."""
        found = super().authenticate(request)
        if found and not request.session.get(factors.SECOND) and tenant_settings.read().require_mfa:
            raise ServiceError("AUTH_006", "Set up a second factor first, at /security of this portal.")
        return cast("tuple[Any, None] | None", found)

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except Exception as error:
            raise ServiceError("AUTH_005", "The CSRF token is missing or wrong.") from error


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerAuthentication
    name = "key"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        described = "A machine's key, an enrolment token, or a personal token."
        return {"type": "http", "scheme": "bearer", "description": described}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = SessionOfTenant
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "The browser's session."}
