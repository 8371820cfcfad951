"""Annotations: list what happened, note a deploy or another change, delete a note."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from analysis import marks
from api.permissions import SeenByPersonElseAnnotated
from api.schemas import ErrorBody
from api.schemas_charts import AnnotationAnswer, AnnotationList, AnnotationOrder, AnnotationQuery
from api.views import View
from collectors import registry
from core.limits import client_ip

_ERRORS = dict.fromkeys((400, 401, 403, 404, 429), ErrorBody)


class Annotations(View):
    permission_classes = (SeenByPersonElseAnnotated,)

    @extend_schema(
        operation_id="annotations_list",
        summary="What happened when",
        description="Notes, and reboots that agents told of, without id; oldest first, 500 at most.",
        parameters=[AnnotationQuery],
        responses={200: AnnotationList, **_ERRORS},
    )
    def get(self, request: Request) -> Response:
        query = AnnotationQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        collectors = [registry.find(asked["machine_id"])] if asked["machine_id"] else None
        found = marks.between(collectors, asked["start"], asked["end"])
        return Response({"annotations": AnnotationAnswer(found, many=True).data})

    @extend_schema(
        summary="Note a deploy or another change",
        description="Drawn as a line on the charts of one machine, or of all without `machine_id`."
        " A pipeline does this with a personal token of scope `admin` of an Analyst.",
        request=AnnotationOrder,
        responses={201: AnnotationAnswer, **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        form = AnnotationOrder(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        collector = registry.find(asked["machine_id"]) if asked["machine_id"] else None
        at = asked.get("at") or timezone.now()
        note = marks.Note(asked["kind"], asked["text"], at, asked.get("until"), collector)
        made = marks.make(note, actor=self.actor(request), ip=client_ip(request._request))
        return Response(AnnotationAnswer(marks.mark_of(made)).data, status=201)


class AnnotationDetail(View):
    permission_classes = (SeenByPersonElseAnnotated,)

    @extend_schema(summary="Delete a note", responses={204: None, **_ERRORS})
    def delete(self, request: Request, annotation_id: str) -> Response:
        marks.delete(annotation_id, actor=self.actor(request), ip=client_ip(request._request))
        return Response(status=204)
