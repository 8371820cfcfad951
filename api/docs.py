"""GET docs: the API's documentation page, from the OpenAPI schema, with assets of our own host."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from core.middleware import CONTENT_SECURITY_POLICY

_POLICY = CONTENT_SECURITY_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


class Docs(SpectacularSwaggerSplitView):
    """Swagger UI; it sets styles inline, so this page alone allows them."""

    url_name = "schema"
    url_self = "api-docs"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response["Content-Security-Policy"] = _POLICY
        return response
