"""Links to a report that work without signing in: what they open, for how long, and what the page may do."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from accounts.models import AuditEvent, Role
from core.errors import ServiceError
from core.tenancy import schema_context
from portal import report_files
from reports.__main__ import main as report_main
from reports.jobs import links, queue
from reports.jobs.models import Report, ReportFile, SharedLink, State
from tests.cast import Cast
from tests.portal.browsing import CHROMIUM, chromium
from tests.reports import machines

REPORT = "a" * 16
HASH = "sha256-" + "x" * 43 + "="
PAGE = f"<meta content=\"default-src 'none'; script-src &#39;{HASH}&#39;\"><title>shared</title>".encode()


@pytest.fixture
def shared(alpha: Cast) -> str:
    """A report of Alpha that is ready, and the path of a link to it."""
    with schema_context(alpha.schema):
        day = datetime(2026, 1, 5, tzinfo=UTC)
        report = Report.objects.create(
            public_id=REPORT, title="<b>Weekly</b>", start=day, end=day + timedelta(days=7), state=State.DONE,
            created_by="x",
        )  # fmt: skip
        for form, content in (("html", PAGE), ("pdf", b"%PDF-"), ("json", b"{}")):
            ReportFile.objects.create(report=report, form=form, content=content)
        _, secret = links.make(REPORT, 7, actor="analyst@alpha.example", ip=None)
    return f"/shared/{secret}"


def only_link(cast: Cast) -> SharedLink:
    with schema_context(cast.schema):
        return SharedLink.objects.select_related("report").get()


def test_a_link_opens_the_report_without_signing_in(alpha: Cast, shared: str) -> None:
    nobody = alpha.client()
    page = nobody.get(shared)
    assert page.status_code == 200
    assert "&lt;b&gt;Weekly&lt;/b&gt;" in page.content.decode()
    assert nobody.get(f"{shared}/report.pdf").content == b"%PDF-"
    answer = nobody.get(f"{shared}/report.html")
    assert answer.content == PAGE
    assert answer["Content-Disposition"].startswith("inline")
    link = only_link(alpha)
    assert link.opened == 2
    assert link.last_opened_at is not None


def test_what_it_answers_is_kept_and_indexed_nowhere(alpha: Cast, shared: str) -> None:
    for path in (shared, f"{shared}/report.html", f"{shared}/report.pdf"):
        answer = alpha.client().get(path)
        assert answer["Cache-Control"] == "no-store"
        assert "noindex" in answer["X-Robots-Tag"]
        assert answer["Referrer-Policy"] == "no-referrer"


def test_the_page_of_a_report_is_sandboxed_for_everybody(alpha: Cast, shared: str) -> None:
    signed_in = alpha.client(Role.ANALYST).get(f"/reports/{REPORT}/report.html")
    for answer in (signed_in, alpha.client().get(f"{shared}/report.html")):
        directives = answer["Content-Security-Policy"].split("; ")
        assert "sandbox allow-scripts" in directives
        assert "default-src 'none'" in directives
        assert f"script-src '{HASH}'" in directives


def test_a_page_that_names_no_script_of_its_own_runs_none() -> None:
    assert "script-src 'none'" in report_files.policy(b"<script>alert(1)</script>")


def test_the_findings_for_machines_are_not_behind_a_link(alpha: Cast, shared: str) -> None:
    assert alpha.client().get(f"{shared}/report.json").status_code == 404
    assert alpha.client().get(f"{shared}/report.exe").status_code == 404


def test_an_expired_a_withdrawn_and_a_wrong_link_are_one_answer(alpha: Cast, beta: Cast, shared: str) -> None:
    nobody, link = alpha.client(), only_link(alpha)
    wrong = [shared[:-1] + ("A" if shared[-1] != "A" else "B"), "/shared/pfr_0", shared.replace("pfr_", "pfl_")]
    answers = [nobody.get(path) for path in wrong] + [beta.client().get(shared)]
    with schema_context(alpha.schema):
        SharedLink.objects.filter(pk=link.pk).update(expires_at=timezone.now())
    answers += [nobody.get(shared), nobody.get(f"{shared}/report.pdf")]
    with schema_context(alpha.schema):
        later = timezone.now() + timedelta(days=1)
        SharedLink.objects.filter(pk=link.pk).update(expires_at=later, revoked_at=timezone.now())
    answers.append(nobody.get(f"{shared}/report.html"))
    assert {answer.status_code for answer in answers} == {404}
    assert all("REPORT_001" in answer.content.decode() for answer in answers)
    assert only_link(alpha).opened == 0


def test_a_link_is_made_on_the_page_shown_once_and_withdrawn(alpha: Cast, beta: Cast, shared: str) -> None:
    with schema_context(alpha.schema):
        SharedLink.objects.all().delete()
    client = alpha.client(Role.ANALYST)
    page = client.post(f"/reports/{REPORT}/links/make", {"days": "1"}).content.decode()
    link = only_link(alpha)
    assert f"/shared/pfr_{link.link_id}_" in page
    assert f"/shared/pfr_{link.link_id}_" not in client.get(f"/reports/{REPORT}/links").content.decode()
    assert timedelta(hours=23) < link.expires_at - timezone.now() <= timedelta(days=1)
    assert beta.client(Role.ADMIN).get(f"/reports/{REPORT}/links").status_code == 404
    withdraw = f"/reports/{REPORT}/links/{link.link_id}/withdraw"
    assert beta.client(Role.ADMIN).post(withdraw).status_code == 404
    assert client.post(withdraw).status_code == 302
    assert only_link(alpha).revoked_at is not None


def test_only_a_hash_of_the_secret_is_stored_and_every_step_is_in_the_audit_log(alpha: Cast, shared: str) -> None:
    alpha.client().get(f"{shared}/report.pdf")
    with schema_context(alpha.schema):
        links.revoke(REPORT, only_link(alpha).link_id, actor="analyst@alpha.example", ip=None)
        secret = shared.rpartition("_")[2]
        assert secret not in str(SharedLink.objects.values().get())
        told = AuditEvent.objects.filter(event__startswith="report.").order_by("id")
        assert [row.event for row in told] == ["report.shared", "report.opened", "report.unshared"]
        assert told[1].user == f"link {only_link(alpha).link_id}"
        assert all(secret not in str(row.detail) for row in told)


@pytest.mark.parametrize("days", [0, 91])
def test_a_link_lasts_from_a_day_to_ninety(alpha: Cast, shared: str, days: int) -> None:
    with schema_context(alpha.schema), pytest.raises(ServiceError, match="1 to 90 days"):
        links.make(REPORT, days, actor="x", ip=None)


def test_what_is_not_made_yet_cannot_be_shared(alpha: Cast, shared: str) -> None:
    with schema_context(alpha.schema):
        Report.objects.update(state=State.QUEUED)
        with pytest.raises(ServiceError, match="Only a report that is ready"):
            links.make(REPORT, 1, actor="x", ip=None)


def test_a_report_has_so_many_live_links_and_no_more(alpha: Cast, shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "MOST_LIVE", 1)
    with schema_context(alpha.schema), pytest.raises(ServiceError, match="withdraw one first"):
        links.make(REPORT, 1, actor="x", ip=None)


def test_a_deleted_report_takes_its_links_with_it(alpha: Cast, shared: str) -> None:
    with schema_context(alpha.schema):
        queue.delete(REPORT, actor="x", ip=None)
    assert alpha.client().get(shared).status_code == 404


def test_guessing_is_limited(alpha: Cast, shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "REQUEST_RATE", "2/h")
    answers = [alpha.client().get("/shared/pfr_0").status_code for _ in range(3)]
    assert answers == [404, 404, 429]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt install chromium")
def test_in_a_browser_the_report_works_and_its_script_cannot_reach_the_portal(tmp_path: Path) -> None:
    """The page as it is served, on a host that has given the browser a cookie."""
    export = tmp_path / "export.csv"
    export.write_text(machines.to_csv({"web-01": machines.healthy(days=1, interval=600)}))
    assert report_main([str(export), "--html", str(tmp_path / "report.html")]) == 0
    page_bytes = (tmp_path / "report.html").read_bytes()

    class Portal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Set-Cookie", "session=secret")
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if self.path == "/report.html":
                self.send_header("Content-Security-Policy", report_files.policy(page_bytes))
            self.end_headers()
            self.wfile.write(page_bytes if self.path == "/report.html" else b"portal")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Portal)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with chromium() as browser:
            page = browser.new_page()
            host = f"http://127.0.0.1:{server.server_port}"
            page.goto(f"{host}/")
            page.goto(f"{host}/report.html")
            assert page.locator(".hint").is_visible()  # its own script ran
            assert page.evaluate("window.origin") == "null"
            reached = "(() => { try { return document.cookie } catch (error) { return error.name } })()"
            assert page.evaluate(reached) == "SecurityError"
            asked = f"fetch('{host}/').then(() => 'reached', () => 'refused')"
            assert page.evaluate(asked) == "refused"
    finally:
        server.shutdown()
        server.server_close()
