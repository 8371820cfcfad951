"""Channels: list, make, change, test, delete; what was sent to one. Addresses go in and never come out."""

from __future__ import annotations

from typing import cast

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.sending import channels, trial
from alerts.sending.models import Channel, Delivery
from api.permissions import MayEditChannels
from api.schemas import ErrorBody
from api.schemas_alerts import (
    ChannelAnswer,
    ChannelChange,
    ChannelList,
    ChannelMade,
    ChannelOrder,
    DeliveryAnswer,
    DeliveryList,
    SecretAnswer,
    TestAnswer,
)
from api.views import View
from core.limits import client_ip, limit
from core.tenancy import current_schema
from partners.middleware import TenantRequest

MOST_DELIVERIES = 200
_ERRORS = dict.fromkeys((400, 401, 403, 404, 429), ErrorBody)


class Channels(View):
    permission_classes = (MayEditChannels,)

    @extend_schema(operation_id="channels_list", summary="Channels", responses={200: ChannelList, **_ERRORS})
    def get(self, request: Request) -> Response:
        return Response({"channels": ChannelAnswer(Channel.objects.all(), many=True).data})

    @extend_schema(
        summary="Make a channel",
        description="A webhook's secret is in this answer alone. CHANNEL_002 says what cannot be.",
        request=ChannelOrder,
        responses={201: ChannelMade, **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        form = ChannelOrder(data=request.data)
        form.is_valid(raise_exception=True)
        made = channels.create(**form.validated_data, actor=self.actor(request), ip=client_ip(request._request))
        return Response(ChannelMade(made.channel, context={"secret": made.secret}).data, status=201)


class ChannelDetail(View):
    permission_classes = (MayEditChannels,)

    @extend_schema(summary="One channel", responses={200: ChannelAnswer, **_ERRORS})
    def get(self, request: Request, channel_id: str) -> Response:
        return Response(ChannelAnswer(channels.find(channel_id)).data)

    @extend_schema(
        summary="Change, switch off or switch on a channel",
        description="Only what is given. Switching it off drops what waits for it.",
        request=ChannelChange,
        responses={200: ChannelAnswer, **_ERRORS},
    )
    def patch(self, request: Request, channel_id: str) -> Response:
        form = ChannelChange(data=request.data)
        form.is_valid(raise_exception=True)
        found = channels.find(channel_id)
        channels.change(found, actor=self.actor(request), ip=client_ip(request._request), **form.validated_data)
        return Response(ChannelAnswer(found).data)

    @extend_schema(summary="Delete a channel", responses={204: None, **_ERRORS})
    def delete(self, request: Request, channel_id: str) -> Response:
        channels.delete(channels.find(channel_id), actor=self.actor(request), ip=client_ip(request._request))
        return Response(status=204)


class ChannelTest(View):
    permission_classes = (MayEditChannels,)

    @extend_schema(
        summary="Send a test",
        description="At once; the answer says what came of it. Ten a minute for each customer.",
        request=None,
        responses={200: TestAnswer, **_ERRORS},
    )
    def post(self, request: Request, channel_id: str) -> Response:
        found, http = channels.find(channel_id), request._request
        limit(http, "channel-tests", current_schema(), trial.RATE, fail_open=False)
        link, portal = http.build_absolute_uri(reverse("channels")), cast(TenantRequest, http).tenant.name
        outcome = trial.send(found, portal, link, actor=self.actor(request), ip=client_ip(http))
        return Response(TestAnswer(outcome).data)


class ChannelSecret(View):
    permission_classes = (MayEditChannels,)

    @extend_schema(
        summary="Give a webhook a new secret",
        description="The one before stops at once.",
        request=None,
        responses={200: SecretAnswer, **_ERRORS},
    )
    def post(self, request: Request, channel_id: str) -> Response:
        found = channels.find(channel_id)
        secret = channels.new_secret(found, actor=self.actor(request), ip=client_ip(request._request))
        return Response(SecretAnswer({"secret": secret}).data)


class Deliveries(View):
    permission_classes = (MayEditChannels,)

    @extend_schema(
        summary="What was sent to a channel",
        description="The newest first, 200 at most.",
        responses={200: DeliveryList, **_ERRORS},
    )
    def get(self, request: Request, channel_id: str) -> Response:
        mine = Delivery.objects.filter(channel=channels.find(channel_id)).order_by("-id")
        found = mine.select_related("message").prefetch_related("message__alerts")[:MOST_DELIVERIES]
        return Response({"deliveries": DeliveryAnswer(found, many=True).data})
