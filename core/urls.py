"""All addresses: the API below /api/, pages elsewhere."""

from django.urls import include, path

urlpatterns = [
    path("api/", include("api.urls")),
    path("", include("portal.urls")),
]

handler400 = "core.errors.bad_request"
handler403 = "core.errors.forbidden"
handler404 = "core.errors.not_found"
handler500 = "core.errors.server_error"
