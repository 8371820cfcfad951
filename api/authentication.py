"""Who is calling: a machine by its key, a new machine by an enrolment token, or a person by a session."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request

from accounts.models import Role, User
from collectors import keys, registry
from collectors.models import Collector
from core.errors import ServiceError


@dataclass(frozen=True)
class Machine:
    """The caller is a registered machine."""

    collector: Collector
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


def has_role(caller: object, least: Role) -> bool:
    return isinstance(caller, User) and caller.has_role(least)


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer pfa_…` (a machine) or `pfe_…` (an enrolment)."""

    def authenticate(self, request: Request) -> tuple[Machine | Enrolment, None] | None:
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise ServiceError("AUTH_002", "Send the key as `Authorization: Bearer pfa_…`.")
        secret = keys.parse(text.strip())
        if secret and secret.prefix == keys.ENROLMENT:
            return Enrolment(secret), None
        collector = registry.authenticate(secret) if secret else None
        if collector is None:
            raise ServiceError("AUTH_001", "The key is not valid.")
        return Machine(collector), None


class SessionOfTenant(SessionAuthentication):
    """The browser's session; unsafe methods need the CSRF token. Roles are read afresh on every request (trap 42)."""

    def enforce_csrf(self, request: Request) -> None:
        try:
            super().enforce_csrf(request)
        except Exception as error:
            raise ServiceError("AUTH_005", "The CSRF token is missing or wrong.") from error


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerAuthentication
    name = "key"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A machine's key or an enrolment token."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = SessionOfTenant
    name = "session"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "The browser's session."}
