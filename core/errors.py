"""The one error body, its codes, and the handlers that answer with it wherever a request fails."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import psycopg2
from django.core.exceptions import (
    BadRequest,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render

logger = logging.getLogger("perfanalysis.errors")


@dataclass(frozen=True)
class ErrorCode:
    """A code of the API contract and its HTTP status."""

    code: str
    status: int
    meaning: str


_DECLARED = (
    ErrorCode("AUTH_001", 401, "Key or token unknown, revoked, expired or another tenant's."),
    ErrorCode("AUTH_002", 401, "No credentials, or malformed ones."),
    ErrorCode("AUTH_003", 403, "The role does not allow it."),
    ErrorCode("AUTH_004", 403, "`machine_id` is not the machine of the key."),
    ErrorCode("AUTH_005", 403, "The request carries a session but no valid CSRF token."),
    ErrorCode("AUTH_006", 403, "Everybody here needs a second factor, and this session has none."),
    ErrorCode("AUTH_007", 403, "What the identity provider answered was not accepted."),
    ErrorCode("AUTH_008", 502, "The identity provider cannot be asked."),
    ErrorCode("TENANT_001", 404, "No customer at this host name."),
    ErrorCode("TENANT_002", 403, "The customer is suspended or past the date paid until."),
    ErrorCode("UPLOAD_001", 400, "The upload is empty."),
    ErrorCode("UPLOAD_002", 400, "A column is missing."),
    ErrorCode("UPLOAD_003", 400, "A bad value: line, column, value and reason, up to 20."),
    ErrorCode("UPLOAD_004", 413, "Too large."),
    ErrorCode("UPLOAD_005", 415, "Not a text encoding or compression that is understood."),
    ErrorCode("UPLOAD_006", 409, "The batch id was used before with other content."),
    ErrorCode("UPLOAD_007", 400, "A timestamp outside what is kept."),
    ErrorCode("UPLOAD_008", 400, "The upload is truncated or its length is unknown."),
    ErrorCode("EXPORT_001", 400, "Bad or missing dates."),
    ErrorCode("EXPORT_002", 404, "Unknown machine."),
    ErrorCode("EXPORT_003", 400, "Unknown metric, dataset or format."),
    ErrorCode("COLLECTOR_001", 404, "No such machine here."),
    ErrorCode("COLLECTOR_002", 400, "A registration that cannot be accepted."),
    ErrorCode("COLLECTOR_003", 409, "The machine is registered already."),
    ErrorCode("ANNOTATION_001", 404, "No such note here."),
    ErrorCode("PEOPLE_001", 409, "The last active Admin has to stay one."),
    ErrorCode("PEOPLE_002", 400, "An invitation that cannot be made."),
    ErrorCode("PEOPLE_003", 404, "A link of an invitation or for a new password that is unknown, used or expired."),
    ErrorCode("REPORT_001", 404, "A link to a report that is unknown, withdrawn or expired."),
    ErrorCode("ALERT_001", 404, "No such alert, rule or silence here."),
    ErrorCode("ALERT_002", 400, "A rule or silence that makes no sense; `details` name every field."),
    ErrorCode("ALERT_003", 409, "The alert is not in a state for that."),
    ErrorCode("CHANNEL_001", 404, "No such channel here."),
    ErrorCode("CHANNEL_002", 400, "A channel that cannot be."),
    ErrorCode("REQUEST_001", 404, "No such address."),
    ErrorCode("REQUEST_002", 405, "The method is not allowed here."),
    ErrorCode("REQUEST_003", 400, "The request is malformed."),
    ErrorCode("REQUEST_004", 415, "The media type is not understood here."),
    ErrorCode("REQUEST_005", 406, "No answer in the media type asked for."),
    ErrorCode("RATE_001", 429, "Too many requests; wait as `Retry-After` says."),
    ErrorCode("SERVER_001", 500, "A bug; `details` has an id to look up in the log."),
    ErrorCode("SERVER_002", 503, "The database is away; wait as `Retry-After` says."),
)
CODES = {declared.code: declared for declared in _DECLARED}


class ServiceError(Exception):
    """A refusal with a code of the contract: a sentence for people, details for programs, seconds to wait."""

    def __init__(
        self, code: str, sentence: str, details: Sequence[Any] = (), *, retry_after: int | None = None
    ) -> None:
        super().__init__(sentence)
        self.code = CODES[code]
        self.sentence = sentence
        self.details = list(details)
        self.retry_after = retry_after


def body(error: ServiceError) -> dict[str, Any]:
    answer: dict[str, Any] = {"status": "error", "error": error.sentence, "code": error.code.code}
    return {**answer, "details": error.details} if error.details else answer


def is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def respond(request: HttpRequest, error: ServiceError) -> HttpResponse:
    """The error as JSON below /api/, as a page elsewhere."""
    response: HttpResponse
    if is_api(request):
        response = JsonResponse(body(error), status=error.code.status)
    else:
        title = HTTPStatus(error.code.status).phrase
        response = render(request, "error.html", {"title": title, "error": error}, status=error.code.status)
    if error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    if error.code.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = 'Bearer realm="PerfAnalysis"'
    return response


def as_service_error(exception: BaseException | None) -> ServiceError:
    """What any exception of a request means to the client."""
    if isinstance(exception, ServiceError):
        return exception
    if isinstance(exception, (OperationalError, InterfaceError)) or _broke_off(exception):
        return ServiceError("SERVER_002", "The database is away; nothing was stored.", retry_after=5)
    if isinstance(exception, (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)):
        return ServiceError("UPLOAD_004", "The request has too many parts or too large fields.")
    if isinstance(exception, MultiPartParserError):
        return ServiceError("UPLOAD_008", "The multipart body is malformed or truncated.")
    if isinstance(exception, (SuspiciousOperation, BadRequest)):
        return ServiceError("REQUEST_003", "The request is malformed.")
    return _bug(exception)


def _broke_off(exception: BaseException | None) -> bool:
    """Whether the connection was lost inside a COPY, which psycopg2 tells by its base class and no SQLSTATE."""
    cause = exception.__cause__ if type(exception) is DatabaseError else exception
    return isinstance(cause, psycopg2.DatabaseError) and type(cause) is psycopg2.DatabaseError and not cause.pgcode


def _bug(error: BaseException | None) -> ServiceError:
    """An unexpected exception as an answer: logged with its traceback under an id, which is all the client learns."""
    reference = uuid.uuid4().hex[:12]
    logger.error("error %s: %s", reference, type(error).__name__, exc_info=error)
    return ServiceError("SERVER_001", f"Something went wrong here. It is logged as {reference}.", [{"id": reference}])


def server_error(request: HttpRequest) -> HttpResponse:
    return respond(request, as_service_error(sys.exc_info()[1]))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return respond(request, ServiceError("REQUEST_001", "There is nothing at this address."))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return respond(request, ServiceError("REQUEST_003", "The request is malformed."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return respond(request, ServiceError("AUTH_003", "Your role does not allow this."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return respond(request, ServiceError("AUTH_005", "The form is out of date. Reload the page and send it again."))
