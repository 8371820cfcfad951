"""Rules of alerts: list, make, change, delete; rehearse one that is not saved; export and import them as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from alerts import handling, rehearsal, rules_file
from alerts.models import Rule
from alerts.rules_file import RulesFileError
from api.permissions import MayHandleAlerts, SeenByPersonElseHandled
from api.schemas import ErrorBody
from api.schemas_alerts import BODY_FIELDS, RehearsalAnswer, RehearsalQuery, RuleAnswer, RuleBody, RuleList
from api.views import View
from core.errors import ServiceError
from core.limits import client_ip

_ERRORS = dict.fromkeys((400, 401, 403, 404, 429), ErrorBody)
YAML = "application/yaml"


class Rules(View):
    permission_classes = (SeenByPersonElseHandled,)

    @extend_schema(operation_id="alert_rules_list", summary="Rules", responses={200: RuleList, **_ERRORS})
    def get(self, request: Request) -> Response:
        return Response({"rules": RuleAnswer(Rule.objects.order_by("name"), many=True).data})

    @extend_schema(
        summary="Make a rule",
        description="ALERT_002 names every field that makes no sense.",
        request=RuleBody,
        responses={201: RuleAnswer, **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        rule = _read(request.data)
        _save(rule, self.actor(request), client_ip(request._request))
        return Response(RuleAnswer(rule).data, status=201)


class RuleDetail(View):
    permission_classes = (SeenByPersonElseHandled,)

    @extend_schema(summary="One rule", responses={200: RuleAnswer, **_ERRORS})
    def get(self, request: Request, rule_id: int) -> Response:
        return Response(RuleAnswer(_find(rule_id)).data)

    @extend_schema(
        summary="Change a rule",
        description="Only what is given. Open alerts are judged by what it says from the next evaluation on.",
        request=RuleBody(partial=True),
        responses={200: RuleAnswer, **_ERRORS},
    )
    def patch(self, request: Request, rule_id: int) -> Response:
        rule = _find(rule_id)
        wanted = _read(request.data, {name: getattr(rule, name) for name in BODY_FIELDS})
        for name in BODY_FIELDS:
            setattr(rule, name, getattr(wanted, name))
        _save(rule, self.actor(request), client_ip(request._request))
        return Response(RuleAnswer(rule).data)

    @extend_schema(
        summary="Delete a rule",
        description="Its open alerts are closed, and stay in the history.",
        responses={204: None, **_ERRORS},
    )
    def delete(self, request: Request, rule_id: int) -> Response:
        handling.delete_rule(_find(rule_id), actor=self.actor(request), ip=client_ip(request._request))
        return Response(status=204)


class Rehearse(View):
    permission_classes = (MayHandleAlerts,)

    @extend_schema(
        summary="How often a rule would have fired",
        description="The evaluator's own steps over the stored history, of a rule that need not be saved.",
        request=RuleBody,
        parameters=[RehearsalQuery],
        responses={200: RehearsalAnswer, **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        query = RehearsalQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        return Response(
            RehearsalAnswer(rehearsal.rehearse(_read(request.data), timezone.now(), **query.validated_data)).data
        )


class Export(View):
    permission_classes = (SeenByPersonElseHandled,)

    @extend_schema(
        operation_id="alert_rules_export",
        summary="All rules as a file",
        responses={(200, YAML): OpenApiTypes.STR, **_ERRORS},
    )
    def get(self, request: Request) -> HttpResponse:
        answer = HttpResponse(handling.export_rules(), content_type=f"{YAML}; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="alert-rules.yaml"'
        return answer


class _YamlText(BaseParser):
    """The text as it is; `alerts.rules_file` reads it."""

    media_type = YAML

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, str]:
        try:
            return {"text": stream.read(rules_file.MOST_BYTES + 1).decode()}
        except UnicodeDecodeError:
            raise ServiceError("REQUEST_003", "The file is not UTF-8.") from None


class Import(View):
    permission_classes = (MayHandleAlerts,)
    parser_classes = (_YamlText,)

    @extend_schema(
        operation_id="alert_rules_import",
        summary="Take over rules of a file",
        description="All or none: one of a known name is changed, the others are new. ALERT_002 names every mistake.",
        request={YAML: OpenApiTypes.STR},
        responses={200: RuleList, **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        text = request.data["text"] if isinstance(request.data, dict) else ""
        try:
            made = handling.import_rules(text, actor=self.actor(request), ip=client_ip(request._request))
        except RulesFileError as error:
            raise _of_file(error) from None
        return Response({"rules": RuleAnswer(made, many=True).data})


def _find(rule_id: int) -> Rule:
    rule = Rule.objects.filter(pk=rule_id).first()
    if rule is None:
        raise ServiceError("ALERT_001", f"There is no rule {rule_id} here.")
    return rule


def _read(body: Any, before: Mapping[str, Any] | None = None) -> Rule:
    """A rule of a body, checked as an entry of a file is; before: what holds where the body says nothing."""
    if not isinstance(body, dict):
        raise ServiceError("REQUEST_003", "A rule is a JSON object.")
    unknown = [name for name in body if name not in BODY_FIELDS]
    if unknown:
        raise ServiceError("ALERT_002", f"There is no such field: {', '.join(map(str, unknown))[:200]}.")
    try:
        return rules_file.read_entry({**(before or {}), **body})
    except RulesFileError as error:
        raise _of_file(error) from None


def _save(rule: Rule, actor: str, ip: str | None) -> None:
    try:
        handling.save_rule(rule, actor=actor, ip=ip)
    except ValidationError as error:
        mistakes = [f"{name}: {sentence}" for name, found in error.message_dict.items() for sentence in found]
        raise _of_file(RulesFileError(mistakes)) from None


def _of_file(error: RulesFileError) -> ServiceError:
    return ServiceError("ALERT_002", error.mistakes[0], error.mistakes)
