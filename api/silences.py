"""Silences and maintenance windows: list, make, end."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import tenant_settings
from alerts import silences, silencing
from alerts.models import Silence
from api.permissions import SeenByPersonElseHandled
from api.schemas import ErrorBody
from api.schemas_alerts import MOST_LISTED, SilenceAnswer, SilenceBody, SilenceList
from api.views import View
from core.errors import ServiceError
from core.limits import client_ip

_ERRORS = dict.fromkeys((400, 401, 403, 404, 429), ErrorBody)


class Silences(View):
    permission_classes = (SeenByPersonElseHandled,)

    @extend_schema(
        operation_id="silences_list",
        summary="Silences, the newest first",
        description="Those that are over, too; 500 at most.",
        responses={200: SilenceList, **_ERRORS},
    )
    def get(self, request: Request) -> Response:
        return Response({"silences": _answer(list(Silence.objects.all()[:MOST_LISTED]))})

    @extend_schema(
        summary="Make a silence",
        description="One-off with `ends_at`, or recurring with `recurrence` (RFC 5545, in the tenant's time zone) and"
        " `minutes`. Neither machines nor tags: all machines; no rule: all rules.",
        request=SilenceBody,
        responses={201: SilenceAnswer, **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        form = SilenceBody(data=request.data)
        form.is_valid(raise_exception=True)
        made = Silence(**form.validated_data)
        try:
            silencing.save_silence(made, actor=self.actor(request), ip=client_ip(request._request))
        except ValidationError as error:
            mistakes = [f"{name}: {sentence}" for name, found in error.message_dict.items() for sentence in found]
            raise ServiceError("ALERT_002", mistakes[0], mistakes) from None
        return Response(_answer([made])[0], status=201)


class SilenceDetail(View):
    permission_classes = (SeenByPersonElseHandled,)

    @extend_schema(summary="One silence", responses={200: SilenceAnswer, **_ERRORS})
    def get(self, request: Request, silence_id: int) -> Response:
        return Response(_answer([_find(silence_id)])[0])

    @extend_schema(
        summary="End a silence",
        description="From now on; one that has not begun is deleted.",
        responses={204: None, **_ERRORS},
    )
    def delete(self, request: Request, silence_id: int) -> Response:
        silencing.end_silence(_find(silence_id), actor=self.actor(request), ip=client_ip(request._request))
        return Response(status=204)


def _find(silence_id: int) -> Silence:
    silence = Silence.objects.filter(pk=silence_id).first()
    if silence is None:
        raise ServiceError("ALERT_001", f"There is no silence {silence_id} here.")
    return silence


def _answer(found: list[Silence]) -> list[dict[str, object]]:
    now, zone = timezone.now(), tenant_settings.zone()
    context = {"holds": lambda silence: silences.holds(silence, now, zone)}
    return list(SilenceAnswer(found, many=True, context=context).data)
