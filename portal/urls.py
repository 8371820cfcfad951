"""Addresses of the pages."""

from django.http import HttpRequest, JsonResponse
from django.urls import path

from portal import enrolment, fleet, installing, machine, machines, signing, tokens


def health(request: HttpRequest) -> JsonResponse:
    """Liveness for load balancers: no tenant, no database."""
    return JsonResponse({"status": "ok"})


urlpatterns = [
    path("health", health, name="health"),
    path("", fleet.fleet, name="fleet"),
    path("machines/<str:machine_id>", machine.machine, name="machine"),
    path("sign-in", signing.sign_in, name="sign-in"),
    path("sign-out", signing.sign_out, name="sign-out"),
    path("password", signing.password, name="password"),
    path("tokens", tokens.own_tokens, name="tokens"),
    path("tokens/make", tokens.make, name="make-own-token"),
    path("tokens/<str:token_id>/revoke", tokens.revoke, name="revoke-own-token"),
    path("manage/machines", machines.machines, name="machines"),
    path("manage/machines/register", machines.register, name="register-machine"),
    path("manage/machines/<str:machine_id>/rotate-key", machines.rotate_key, name="rotate-machine-key"),
    path("manage/machines/<str:machine_id>/retire", machines.retire, name="retire-machine"),
    path("add", enrolment.add, name="add"),
    path("add/token", enrolment.make_token, name="make-token"),
    path("add/token/<str:token_id>", enrolment.arrivals, name="arrivals"),
    path("add/token/<str:token_id>/revoke", enrolment.revoke_token, name="revoke-token"),
    path("download/perfagent.pyz", enrolment.download_agent, name="download-agent"),
    path("install.sh", installing.install_script, name="install-script"),
]
