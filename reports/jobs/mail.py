"""The mail with a report: its summary as text and HTML, the PDF attached."""

from __future__ import annotations

import json
import re
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from core import colours
from reports.document import WORDS
from reports.jobs import deliveries, queue
from reports.jobs.models import Delivery, Report, State
from reports.jobs.schedules import NO_MAIL
from reports.reading import show

INK = "#0b4a75"
MOST_TOLD = 12
MOST_BYTES = 15_000_000
"""Of an attachment: mail servers commonly take 25 MB, and base64 adds a third."""
_BREAKS = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+")


@dataclass(frozen=True)
class Sender:
    """Whom the mails are from, for people."""

    name: str
    colour: str = ""

    @property
    def ink(self) -> str:
        """The colour, as it is read on white."""
        return colours.readable_on(self.colour or INK, colours.WHITE)


def send_next(sender: Sender, now: datetime) -> str:
    """One try of the mail that waits longest; says what became of it. Every failure is kept, and the page shows it."""
    delivery = deliveries.take(now)
    if delivery is None:
        return ""
    report = delivery.occurrence.report
    if not settings.SENDS_MAIL:
        deliveries.give_up(delivery, NO_MAIL)
    elif report is None or report.state == State.FAILED:
        deliveries.give_up(delivery, "There is no report to send: it was deleted, or could not be made.")
    elif _hand_over(compose(delivery, report, sender), delivery):
        return f"mail {delivery.pk} sent"
    return f"mail {delivery.pk} not sent"


def _hand_over(message: EmailMultiAlternatives, delivery: Delivery) -> bool:
    try:
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        put = deliveries.give_up if code >= 500 else deliveries.put_off
        put(delivery, f"The mail server refused the address: {code} {_words(said)}")
    except smtplib.SMTPResponseException as error:
        deliveries.put_off(delivery, f"The mail server said {error.smtp_code} {_words(error.smtp_error)}")
    except (smtplib.SMTPException, OSError) as error:
        deliveries.put_off(delivery, f"The mail server cannot be reached, or broke off: {_words(error)}")
    else:
        deliveries.sent(delivery)
        return True
    return False


def compose(delivery: Delivery, report: Report, sender: Sender) -> EmailMultiAlternatives:
    """The same delivery has the same Message-ID however often it is sent."""
    files = {file.form: bytes(file.content) for file in report.files.filter(form__in=("pdf", "json"))}
    title, attached = show(one_line(report.title)), len(files["pdf"]) <= MOST_BYTES
    told = {**_summary(files["json"]), "sender": sender, "title": title, "attached": attached}
    message = EmailMultiAlternatives(
        subject=one_line(f"{sender.name}: {title}"),
        body=render_to_string("mail/report.txt", told),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[delivery.address],
        headers={"Message-ID": message_id(delivery), "Auto-Submitted": "auto-generated"},
    )
    message.attach_alternative(render_to_string("mail/report.html", told), "text/html")
    if attached:
        message.attach(queue.file_name(report, "pdf"), files["pdf"], "application/pdf")
    return message


def message_id(delivery: Delivery) -> str:
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
    schedule = delivery.occurrence.schedule
    return f"<report.{schedule.public_id}.{delivery.occurrence_id}.{delivery.pk}@{domain}>"


def one_line(text: str) -> str:
    """Fit for a header: what would end its line becomes a blank."""
    return _BREAKS.sub(" ", text).strip()[:180]


def _summary(content: bytes) -> Mapping[str, Any]:
    """Standing by area, facts, and the worst findings with their first evidence."""
    found = json.loads(content)
    findings = found["findings"]
    areas = [(area, severity, WORDS[severity]) for area, severity in found["standing"].items()]
    told = [{**each, "word": WORDS[each["severity"]]} for each in findings[:MOST_TOLD]]
    return {
        "subtitle": found["subtitle"],
        "facts": [(name, found["facts"][name]) for name in ("Period", "Time zone", "Coverage", "Gaps")],
        "areas": areas,
        "findings": told,
        "more": len(findings) - len(told),
    }


def _words(said: object) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return one_line(text)
