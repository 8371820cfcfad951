"""Addresses of the pages."""

from django.http import HttpRequest, JsonResponse
from django.urls import path


def health(request: HttpRequest) -> JsonResponse:
    """Liveness for load balancers: no tenant, no database."""
    return JsonResponse({"status": "ok"})


urlpatterns = [path("health", health, name="health")]
