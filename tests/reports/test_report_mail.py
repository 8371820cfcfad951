"""The mail with a report: what it says, and what happens when the mail server is slow, wrong or away."""

from __future__ import annotations

import email
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.core.management import call_command

from accounts.models import AuditEvent
from core.tenancy import schema_context
from reports.jobs import deliveries, mail, schedules
from reports.jobs.mail import Sender
from reports.jobs.models import Delivery, Every, Posting, Report, ReportFile, State
from reports.jobs.schedules import Plan
from tests import samples
from tests.cast import MACHINE, Cast
from tests.reports.apart import apart

NOW = datetime(2026, 1, 14, 12, tzinfo=UTC)
SENDER = Sender("Alpha & Sons", "#ffee00")
FINDING = {
    "severity": "critical", "area": "CPU", "machine": "<script>web</script>", "title": "CPU is saturated",
    "evidence": ["CPU busy: mean 97 %"], "advice": "Add cores.", "confidence": "high", "reference": "USE",
}  # fmt: skip
CONTENT = {
    "subtitle": MACHINE, "standing": {"CPU": "critical", "Memory": "good"}, "findings": [FINDING], "verdicts": [],
    "facts": {"Period": "a week", "Time zone": "UTC", "Coverage": "98 %", "Gaps": "none"},
}  # fmt: skip


@dataclass
class Server:
    """A mail server; `answer` is what it says to RCPT."""

    answer: str = "250 OK"
    taken: list[Envelope] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  # aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken.append(envelope)
        return "250 taken"

    def messages(self) -> list[EmailMessage]:
        parsed = [email.message_from_bytes(_bytes(each.content), policy=default) for each in self.taken]
        return [message for message in parsed if isinstance(message, EmailMessage)]


def _bytes(content: bytes | str | None) -> bytes:
    return content.encode() if isinstance(content, str) else content or b""


def send_through(settings: Any, port: int, seconds: float = 10) -> None:
    settings.SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, seconds
    settings.DEFAULT_FROM_EMAIL = "PerfAnalysis <reports@portal.example>"


@pytest.fixture
def server(settings: Any) -> Iterator[Server]:
    handler = Server()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    send_through(settings, controller.port)
    yield handler
    controller.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def deliver(title: str = "Weekly", recipients: tuple[str, ...] = ("ops@customer.example",)) -> None:
    """A schedule was due, and its report is ready."""
    plan = Plan(title, Every.WEEK, 0, 6, [MACHINE], recipients=recipients)
    made = schedules.make(plan, NOW - timedelta(days=9), actor="analyst@alpha.example", ip=None)
    report = schedules.run(made.public_id, ZoneInfo("UTC"), NOW, actor="analyst@alpha.example", ip=None)
    Report.objects.filter(pk=report.pk).update(state=State.DONE)
    for form, content in (("pdf", b"%PDF-1.7"), ("json", json.dumps(CONTENT).encode())):
        ReportFile.objects.create(report=report, form=form, content=content)


def waiting() -> Delivery:
    return Delivery.objects.get()


def test_the_mail_says_the_summary_and_carries_the_pdf(alpha: Cast, server: Server) -> None:
    with schema_context(alpha.schema):
        deliver()
        assert mail.send_next(SENDER, NOW).endswith("sent")
        assert mail.send_next(SENDER, NOW) == ""
        assert (waiting().state, waiting().attempts) == (Posting.SENT, 1)
        assert AuditEvent.objects.filter(event="report.mailed", detail__to="ops@customer.example").count() == 1
    (message,) = server.messages()
    text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert (message["To"], message["Subject"]) == ("ops@customer.example", "Alpha & Sons: Weekly")
    for body in (text, html):
        assert "CPU is saturated" in body
        assert "CPU busy: mean 97 %" in body
        assert "98 %" in body
    assert "<script>" not in html
    assert "#ffee00" not in html  # unreadable on white
    (pdf,) = message.iter_attachments()
    assert pdf.get_content_type() == "application/pdf"
    assert pdf.get_content() == b"%PDF-1.7"
    assert str(pdf.get_filename()).endswith(".pdf")


def test_from_what_is_due_to_the_mail_the_worker_does_it_all(alpha: Cast, server: Server) -> None:
    """One round of `manage.py work`: it asks for the report of last week, makes it, and mails it."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    last_week = now - timedelta(days=now.weekday() + 5)
    samples.upload(alpha, {"timestamp": samples.minutes(last_week, 120), "cpu_user": [20.0] * 120})
    with schema_context(alpha.schema):
        plan = Plan("Weekly", Every.WEEK, 0, 0, [MACHINE], recipients=["ops@customer.example"])
        schedules.make(plan, now - timedelta(days=8), actor="analyst@alpha.example", ip=None)
    for _ in range(2):
        call_command("work", "--once")
    (message,) = server.messages()
    (pdf,) = message.iter_attachments()
    assert pdf.get_content().startswith(b"%PDF-")
    assert "Coverage: " in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


@pytest.mark.parametrize("title", ["Weekly\r\nBcc: all@customer.example", "Weekly\u2028Bcc: all@customer.example"])
def test_a_title_adds_no_header(alpha: Cast, server: Server, title: str) -> None:
    with schema_context(alpha.schema):
        deliver(title)
        mail.send_next(SENDER, NOW)
    (message,) = server.messages()
    assert message["Bcc"] is None
    assert message["Subject"].startswith("Alpha & Sons: Weekly")
    assert [envelope.rcpt_tos for envelope in server.taken] == [["ops@customer.example"]]


def test_every_recipient_has_a_mail_of_their_own(alpha: Cast, server: Server) -> None:
    with schema_context(alpha.schema):
        deliver(recipients=("a@customer.example", "b@other.example"))
        while mail.send_next(SENDER, NOW):
            pass
    assert [message["To"] for message in server.messages()] == ["a@customer.example", "b@other.example"]


def test_sent_again_it_has_the_same_message_id(alpha: Cast, server: Server) -> None:
    """A worker died after the mail server had said yes."""
    with schema_context(alpha.schema):
        deliver()
        mail.send_next(SENDER, NOW)
        Delivery.objects.update(state=Posting.WAITING, try_at=NOW)
        mail.send_next(SENDER, NOW)
    first, second = server.messages()
    assert first["Message-ID"] == second["Message-ID"]
    assert str(first["Message-ID"]).endswith("@portal.example>")


def test_it_waits_until_the_report_is_made(alpha: Cast, server: Server) -> None:
    with schema_context(alpha.schema):
        deliver()
        Report.objects.update(state=State.RUNNING)
        assert mail.send_next(SENDER, NOW) == ""
        Report.objects.update(state=State.FAILED)
        mail.send_next(SENDER, NOW)
        assert waiting().state == Posting.FAILED
        assert "could not be made" in waiting().problem
    assert not server.taken


def test_a_deleted_report_is_not_waited_for(alpha: Cast, server: Server) -> None:
    with schema_context(alpha.schema):
        deliver()
        Report.objects.all().delete()
        mail.send_next(SENDER, NOW)
        assert waiting().state == Posting.FAILED


def test_a_server_that_is_away_is_tried_again_later_and_later_and_then_given_up(alpha: Cast, settings: Any) -> None:
    send_through(settings, free_port())
    pauses = []
    with schema_context(alpha.schema):
        deliver()
        for _ in range(deliveries.ATTEMPTS):
            assert waiting().state == Posting.WAITING
            Delivery.objects.update(try_at=NOW)
            mail.send_next(SENDER, NOW)
            pauses.append(waiting().try_at - datetime.now(UTC))
        assert waiting().state == Posting.FAILED
        assert "Connection refused" in waiting().problem
        assert AuditEvent.objects.filter(event="report.mailed", status="failed").count() == 1
        assert deliveries.again(waiting().occurrence_id) == 1
        assert (waiting().state, waiting().attempts) == (Posting.WAITING, 0)
    minutes = [round(pause.total_seconds() / 60) for pause in pauses[:-1]]
    assert minutes == [1, 2, 4, 8, 16, 32, 60]


def test_before_its_pause_is_over_it_is_not_tried(alpha: Cast, settings: Any) -> None:
    send_through(settings, free_port())
    with schema_context(alpha.schema):
        deliver()
        mail.send_next(SENDER, NOW)
        assert mail.send_next(SENDER, datetime.now(UTC) + timedelta(seconds=30)) == ""
        assert mail.send_next(SENDER, datetime.now(UTC) + timedelta(seconds=90)) != ""


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [
        ("550 no such user here", Posting.FAILED, "refused the address: 550 no such user here"),
        ("451 greylisted, come back", Posting.WAITING, "451 greylisted"),
    ],
)
def test_a_refused_address_is_told_and_only_a_lasting_refusal_ends_it(
    alpha: Cast, server: Server, answer: str, state: str, words: str
) -> None:
    server.answer = answer
    with schema_context(alpha.schema):
        deliver()
        mail.send_next(SENDER, NOW)
        assert waiting().state == state
        assert words in waiting().problem


def test_a_server_that_hangs_is_left_in_time(alpha: Cast, settings: Any) -> None:
    """It takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        send_through(settings, silent.getsockname()[1], seconds=0.3)
        with schema_context(alpha.schema):
            deliver()
            mail.send_next(SENDER, NOW)
            assert waiting().state == Posting.WAITING
            assert "timed out" in waiting().problem


def test_without_a_mail_server_it_says_so(alpha: Cast, server: Server, settings: Any) -> None:
    with schema_context(alpha.schema):
        deliver()
        settings.SENDS_MAIL = False
        mail.send_next(SENDER, NOW)
        assert waiting().state == Posting.FAILED
        assert "EMAIL_URL is empty" in waiting().problem


def test_a_pdf_that_no_mail_server_would_take_stays_in_the_portal(
    alpha: Cast, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "MOST_BYTES", 3)
    with schema_context(alpha.schema):
        deliver()
        mail.send_next(SENDER, NOW)
    (message,) = server.messages()
    assert list(message.iter_attachments()) == []
    assert "too large for a mail" in message.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_two_workers_at_once_send_one(racers: None, server: Server) -> None:
    apart(deliver)
    said = apart(lambda: mail.send_next(SENDER, NOW), workers=3)
    assert sorted(map(str, said))[:2] == ["", ""]
    assert apart(lambda: waiting().state) == [Posting.SENT]
    assert len(server.taken) == 1


def test_while_one_worker_sends_it_another_has_nothing_to_send(alpha: Cast, server: Server) -> None:
    with schema_context(alpha.schema):
        deliver()
        assert deliveries.take(NOW) is not None
        assert mail.send_next(SENDER, NOW + deliveries.LEASE / 2) == ""
        assert mail.send_next(SENDER, NOW + 2 * deliveries.LEASE).endswith("sent")  # what a dead worker left
    assert len(server.taken) == 1


def test_a_worker_that_was_overtaken_does_not_undo_what_the_other_did(alpha: Cast, server: Server) -> None:
    with schema_context(alpha.schema):
        deliver()
        slow = deliveries.take(NOW)
        quick = deliveries.take(NOW + 2 * deliveries.LEASE)
        assert slow is not None
        assert quick is not None
        deliveries.sent(quick)
        deliveries.put_off(slow, "late")
        assert (waiting().state, waiting().problem) == (Posting.SENT, "")


def test_the_lease_outlasts_every_wait_for_the_mail_server() -> None:
    """Greeting, EHLO, STARTTLS, EHLO, AUTH in three steps, MAIL, RCPT, DATA, its end, QUIT: ten seconds each."""
    assert timedelta(seconds=10 * 20) < deliveries.LEASE
