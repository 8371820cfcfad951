"""The one exit for failure of every API view: exceptions to the error body."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from rest_framework import exceptions

from core.batch import BatchError
from core.errors import ServiceError, as_service_error, respond

_UPLOAD_CODES = {
    "empty": "UPLOAD_001",
    "missing_column": "UPLOAD_002",
    "bad_value": "UPLOAD_003",
    "too_large": "UPLOAD_004",
    "encoding": "UPLOAD_005",
    "out_of_window": "UPLOAD_007",
    "truncated": "UPLOAD_008",
}


def answer(exception: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler."""
    return respond(context["request"]._request, translate(exception))


def translate(exception: Exception) -> ServiceError:
    """Any exception of a view as an error of the contract."""
    if isinstance(exception, BatchError):
        details = [problem.__dict__ for problem in exception.problems]
        return ServiceError(_UPLOAD_CODES[exception.kind], exception.sentence, details)
    if isinstance(exception, exceptions.NotAuthenticated):
        return ServiceError("AUTH_002", "Sign in, or send a key as `Authorization: Bearer …`.")
    if isinstance(exception, (exceptions.PermissionDenied, PermissionDenied)):
        return ServiceError("AUTH_003", "The role of the caller does not allow this.")
    if isinstance(exception, (exceptions.NotFound, Http404)):
        return ServiceError("REQUEST_001", "There is nothing at this address.")
    if isinstance(exception, exceptions.MethodNotAllowed):
        return ServiceError("REQUEST_002", "The method is not allowed here.")
    if isinstance(exception, exceptions.UnsupportedMediaType):
        return ServiceError("REQUEST_004", "The media type of the request is not understood here.")
    if isinstance(exception, exceptions.NotAcceptable):
        return ServiceError("REQUEST_005", "There is no answer in the media type asked for.")
    if isinstance(exception, exceptions.ValidationError):
        return ServiceError("REQUEST_003", "The request is malformed.", [_plain(exception.detail)])
    if isinstance(exception, exceptions.APIException) and exception.status_code == 400:
        return ServiceError("REQUEST_003", "The request is malformed.")
    return as_service_error(exception)


def _plain(detail: Any) -> Any:
    if isinstance(detail, dict):
        return {name: _plain(value) for name, value in detail.items()}
    return [str(item) for item in detail] if isinstance(detail, list) else str(detail)
