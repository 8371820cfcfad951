"""Addresses of the pages."""

from django.http import HttpRequest, JsonResponse
from django.urls import path

from portal import (
    audit,
    brand,
    enrolment,
    fleet,
    installing,
    links,
    machine,
    machines,
    people,
    report_links,
    reports,
    sessions,
    settings_page,
    signing,
    tokens,
)


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
    path("forgot", links.forgot, name="forgot"),
    path("invitation/<str:secret>", links.invitation, name="invitation"),
    path("new-password/<str:secret>", links.new_password, name="new-password"),
    path("sessions", sessions.own_sessions, name="sessions"),
    path("sessions/end-all", sessions.end_all, name="end-all-sessions"),
    path("sessions/<str:public_id>/end", sessions.end, name="end-session"),
    path("manage/people", people.people, name="people"),
    path("manage/people/invite", people.invite, name="invite"),
    path("manage/people/<int:user_id>/role", people.change_role, name="change-role"),
    path("manage/people/<int:user_id>/deactivate", people.deactivate, name="deactivate"),
    path("manage/people/<int:user_id>/reactivate", people.reactivate, name="reactivate"),
    path("manage/people/<int:user_id>/reset", people.offer_reset, name="offer-reset"),
    path("manage/invitations/<str:link_id>/withdraw", people.withdraw, name="withdraw-invitation"),
    path("manage/audit", audit.audit, name="audit"),
    path("manage/audit/export.<str:form_name>", audit.export, name="export-audit"),
    path("manage/settings", settings_page.settings, name="settings"),
    path("brand/<str:digest>/logo.png", brand.logo, name="brand-logo"),
    path("brand/<str:digits>/colour.css", brand.colour, name="brand-colour"),
    path("tokens", tokens.own_tokens, name="tokens"),
    path("tokens/make", tokens.make, name="make-own-token"),
    path("tokens/<str:token_id>/revoke", tokens.revoke, name="revoke-own-token"),
    path("manage/machines", machines.machines, name="machines"),
    path("manage/machines/register", machines.register, name="register-machine"),
    path("manage/machines/<str:machine_id>/rotate-key", machines.rotate_key, name="rotate-machine-key"),
    path("manage/machines/<str:machine_id>/retire", machines.retire, name="retire-machine"),
    path("reports", reports.reports, name="report-list"),
    path("reports/ask", reports.ask, name="ask-report"),
    path("reports/<str:report_id>/report.<str:form_name>", reports.read, name="read-report"),
    path("reports/<str:report_id>/delete", reports.delete, name="delete-report"),
    path("reports/<str:report_id>/links", report_links.links, name="report-links"),
    path("reports/<str:report_id>/links/make", report_links.make, name="share-report"),
    path("reports/<str:report_id>/links/<str:link_id>/withdraw", report_links.withdraw, name="withdraw-report-link"),
    path("shared/<str:secret>", report_links.shared, name="shared-report"),
    path("shared/<str:secret>/report.<str:form_name>", report_links.shared_file, name="shared-report-file"),
    path("add", enrolment.add, name="add"),
    path("add/token", enrolment.make_token, name="make-token"),
    path("add/token/<str:token_id>", enrolment.arrivals, name="arrivals"),
    path("add/token/<str:token_id>/revoke", enrolment.revoke_token, name="revoke-token"),
    path("download/perfagent.pyz", enrolment.download_agent, name="download-agent"),
    path("install.sh", installing.install_script, name="install-script"),
]
