"""The short way of a machine's upload, which is nearly all that a portal is asked."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts import roles
from api import machine_upload
from api.authentication import machine_of
from api.errors import translate
from api.permissions import may
from api.views import limit_by_address
from collectors import keys
from core.errors import ServiceError, respond
from core.keys import Secret, parse

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ACCEPTED = frozenset({"*/*", "application/json"})


class MachineUploadMiddleware:
    """Answers an upload with a machine's key before sessions, forms and the framework of views, which cost more than
    storing it; everything else goes on, to `api.upload` at last.

    Both ways call the same functions in the same order; tests/api/test_upload_ways.py holds them against each other.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.addresses = frozenset({reverse("upload"), reverse("upload-alias")})

    def __call__(self, request: HttpRequest) -> HttpResponse:
        secret = _key(request) if request.method == "POST" and request.path in self.addresses else None
        return _answer(request, secret) if secret else self.get_response(request)


def _key(request: HttpRequest) -> Secret | None:
    """A machine's key; None when the request carries anything else, or asks for what only the view can say."""
    scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme != "Bearer" or request.META.get("HTTP_ACCEPT", "*/*") not in _ACCEPTED:
        return None
    return parse(text, keys.MACHINE)


def _answer(request: HttpRequest, secret: Secret) -> HttpResponse:
    try:
        response = _receive(request, secret)
    except Exception as error:
        response = respond(request, translate(error))
    response["Content-Length"] = str(len(response.content))
    return response


def _receive(request: HttpRequest, secret: Secret) -> HttpResponse:
    try:
        machine = machine_of(secret)
    except ServiceError:
        limit_by_address(request)
        raise
    if not may(machine, roles.UPLOAD):
        raise ServiceError("AUTH_003", "The role of the caller does not allow this.")
    status, answer = machine_upload.receive(request, machine.collector)
    return HttpResponse(_json(answer), status=status, content_type="application/json")


def _json(answer: dict[str, object]) -> str:
    """As the view's renderer writes it, without asking what else might be wanted."""
    text = _ENCODER.encode(answer)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
