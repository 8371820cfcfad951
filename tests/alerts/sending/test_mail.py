"""Mail to a real server on this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alerts.sending import mail, phrases
from alerts.sending.parcels import Letter, Outcome, Parcel
from tests.alerts.sending.conftest import LETTER, PNG
from tests.receivers import MailServer


def parcel(to: str = "ops@alpha.example", letter: Letter = LETTER) -> Parcel:
    return Parcel("mail", to, letter)


def test_a_mail_has_text_html_and_the_chart_inside(mail_server: MailServer) -> None:
    assert mail.send(parcel()) == Outcome(True)
    (got,) = mail_server.mails()
    assert got["Subject"] == LETTER.subject
    assert got["From"] == "PerfAnalysis <portal@perf.example>"
    assert got["Auto-Submitted"] == "auto-generated"
    parts = {part.get_content_type(): part for part in got.walk() if not part.is_multipart()}
    assert parts["text/plain"].get_content().splitlines() == LETTER.text.splitlines()
    assert parts["text/html"].get_content().strip() == LETTER.html
    assert parts["image/png"].get_content() == PNG
    assert parts["image/png"]["Content-ID"] == f"<{mail.CHART}>"


def test_a_second_copy_has_the_same_message_id_and_thread(mail_server: MailServer) -> None:
    mail.send(parcel())
    mail.send(parcel())
    assert {got["Message-ID"] for got in mail_server.mails()} == {f"<{LETTER.key}@perf.example>"}
    assert {got["References"] for got in mail_server.mails()} == {f"<{LETTER.thread}@perf.example>"}


def test_all_recipients_are_in_one_mail(mail_server: MailServer) -> None:
    mail.send(parcel("a@alpha.example,b@alpha.example"))
    assert [envelope.rcpt_tos for envelope in mail_server.got] == [["a@alpha.example", "b@alpha.example"]]


def test_an_address_that_is_refused_beside_another_is_told(mail_server: MailServer) -> None:
    mail_server.refuses = frozenset({"gone@alpha.example"})
    outcome = mail.send(parcel("a@alpha.example,gone@alpha.example"))
    assert outcome == Outcome(True, "The mail server refused 1 of 2 addresses.")
    assert mail.send(parcel("gone@alpha.example")) == Outcome(False, "The mail server refused every address.")


def test_a_server_that_refuses_the_mail_is_told_by_its_code(mail_server: MailServer) -> None:
    mail_server.status = "451 the inside of the server"
    assert mail.send(parcel()) == Outcome(False, "The mail server answered 451.")


def test_a_server_that_hangs_is_given_up(mail_server: MailServer, settings: Any) -> None:
    mail_server.hangs, settings.EMAIL_TIMEOUT = True, 0.3
    assert not mail.send(parcel()).sent


def test_a_server_that_is_away_is_a_sentence(settings: Any) -> None:
    settings.SENDS_MAIL, settings.EMAIL_HOST, settings.EMAIL_PORT = True, "127.0.0.1", 9
    assert mail.send(parcel()).reason == "The mail server could not be reached, or broke off."


def test_a_portal_without_a_mail_server_says_so(settings: Any) -> None:
    settings.SENDS_MAIL = False
    assert "EMAIL_URL" in mail.send(parcel()).reason


@pytest.mark.parametrize(
    "name",
    [
        "x\r\nBcc: everybody@example.com",
        "x\u202egnp.exe",
        "x\u2028y",
        "x\x00y\x1b[31m",
        "<script>alert(1)</script>",
        "é" * 300,
    ],
)
def test_a_hostile_name_stays_inside_the_subject(mail_server: MailServer, name: str) -> None:
    """Trap 40."""
    subject = phrases.plain(f"[Alpha] Critical: CPU – {name}")
    assert mail.send(parcel(letter=replace(LETTER, subject=subject))).sent
    (got,) = mail_server.mails()
    assert got["Bcc"] is None
    assert got["Subject"].strip() == subject  # a long one is folded at its beginning
    assert not set(subject) & set("\r\n\u202e\u2028\x00\x1b")
    assert len(subject) <= 180
