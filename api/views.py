"""What every API view shares: the limit by address, no guessing of formats, and the error body."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.views import APIView

from api.authentication import BearerAuthentication, SessionOfTenant
from core.limits import client_network, limit


def limit_by_address(request: HttpRequest) -> None:
    limit(request, "requests", client_network(request), settings.REQUEST_RATE, fail_open=True)


class View(APIView):
    """Base of the API's views. The limit by address comes first, so that guessing keys is limited too."""

    authentication_classes: tuple[type[BaseAuthentication], ...] = (BearerAuthentication, SessionOfTenant)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.count(request)
        super().initial(request, *args, **kwargs)

    def count(self, request: Request) -> None:
        """This use of the API, for the address that it comes from."""
        limit_by_address(request._request)

    def actor(self, request: Request) -> str:
        """Who is calling, as the audit log names it."""
        return str(getattr(request.user, "actor", None) or getattr(request.user, "email", ""))
