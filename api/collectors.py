"""Collectors: list, show, register, change, retire, rotate the key. And the service's status."""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import Enrolment, Machine
from api.permissions import Anyone, IsPerson, MayRegister, MayRotate, ReadByPersonElseAdmin
from api.schemas import (
    CollectorAnswer,
    CollectorList,
    ErrorBody,
    EventsAnswer,
    EventsQuery,
    KeyAnswer,
    Registration,
    StatusAnswer,
    Tags,
)
from api.views import View
from collectors import events, registry
from collectors.models import Collector
from core.limits import client_ip
from partners import heartbeat

_ERRORS = dict.fromkeys((400, 401, 403, 404, 429), ErrorBody)


class Collectors(View):
    permission_classes = (IsPerson,)

    @extend_schema(
        operation_id="collectors_list",
        summary="Registered machines",
        responses={200: CollectorList, 401: ErrorBody, 429: ErrorBody},
    )
    def get(self, request: Request) -> Response:
        answer = CollectorAnswer(Collector.objects.all(), many=True, context={"now": timezone.now()})
        return Response({"collectors": answer.data})


class Register(View):
    permission_classes = (MayRegister,)

    @extend_schema(
        summary="Register a machine",
        description="By an Admin, or with an enrolment token. The key is shown once.",
        request=Registration,
        responses={201: KeyAnswer, 409: ErrorBody, **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        form = Registration(data=request.data)
        form.is_valid(raise_exception=True)
        machine_id, hostname = form.validated_data["machine_id"], form.validated_data["hostname"]
        ip = client_ip(request._request)
        if isinstance(request.user, Enrolment):
            found = registry.register_with_token(request.user.token, machine_id, hostname, ip=ip)
        else:
            found = registry.register(machine_id, hostname, actor=self.actor(request), ip=ip)
        collector, secret = found
        answer = {"status": "success", "machine_id": collector.machine_id, "api_key": str(secret)}
        return Response(answer, status=201)


class CollectorDetail(View):
    permission_classes = (ReadByPersonElseAdmin,)

    @extend_schema(summary="One machine", responses={200: CollectorAnswer, **_ERRORS})
    def get(self, request: Request, machine_id: str) -> Response:
        return Response(CollectorAnswer(registry.find(machine_id), context={"now": timezone.now()}).data)

    @extend_schema(summary="Change tags or hostname", request=Tags, responses={200: CollectorAnswer, **_ERRORS})
    def patch(self, request: Request, machine_id: str) -> Response:
        collector = registry.find(machine_id)
        form = Tags(data=request.data)
        form.is_valid(raise_exception=True)
        registry.change(
            collector, actor=self.actor(request), ip=client_ip(request._request), **form.validated_data
        )  # fmt: skip
        return self.get(request, machine_id)

    @extend_schema(
        summary="Retire a machine",
        description="Its keys stop at once; its samples stay.",
        responses={200: CollectorAnswer, **_ERRORS},
    )
    def delete(self, request: Request, machine_id: str) -> Response:
        registry.retire(registry.find(machine_id), actor=self.actor(request), ip=client_ip(request._request))
        return self.get(request, machine_id)


class Events(View):
    permission_classes = (IsPerson,)

    @extend_schema(
        summary="Why there are gaps",
        description="What the machine's agent told: stops, reboots, suspends, losses; those that touch the period.",
        parameters=[EventsQuery],
        responses={200: EventsAnswer, **_ERRORS},
    )
    def get(self, request: Request, machine_id: str) -> Response:
        query = EventsQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        found = events.between([registry.find(machine_id).pk], *query.period())
        return Response(EventsAnswer({"machine_id": machine_id, "events": found}).data)


class RotateKey(View):
    permission_classes = (MayRotate,)

    @extend_schema(
        summary="Rotate a machine's key",
        description=(
            f"The old key works for {settings.KEY_OVERLAP_HOURS} hours more: the newest, or the one that asks."
        ),
        request=None,
        responses={200: KeyAnswer, **_ERRORS},
    )
    def post(self, request: Request, machine_id: str) -> Response:
        asked_with = request.user.key_id if isinstance(request.user, Machine) else ""
        secret = registry.rotate(
            registry.find(machine_id), actor=self.actor(request), ip=client_ip(request._request), asked_with=asked_with
        )
        return Response({"status": "success", "machine_id": machine_id, "api_key": str(secret)})


class Status(View):
    """Liveness: no tenant, no database, no limit."""

    authentication_classes: tuple[type[BaseAuthentication], ...] = ()
    permission_classes = (Anyone,)

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Nothing to check."""

    @extend_schema(summary="Liveness and version", auth=[], responses={200: StatusAnswer})
    def get(self, request: Request) -> Response:
        moment, seen = timezone.now().isoformat(), heartbeat.last()
        answer = {"status": "success", "version": settings.VERSION, "timestamp": moment, "worker_seen": seen}
        return Response(answer)
