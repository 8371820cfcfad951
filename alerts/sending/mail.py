"""Mail through the portal's own mail server (EMAIL_URL): text and HTML, the chart inside, threaded by alert."""

from __future__ import annotations

import logging
from email.mime.image import MIMEImage
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPResponseException

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend

from alerts.sending.parcels import Letter, Outcome, Parcel

logger = logging.getLogger("perfanalysis.sending")

CHART = "chart"


def send(parcel: Parcel) -> Outcome:
    """The address: one or more, separated by commas. Some refused and others not: sent, and the reason says it."""
    if not settings.SENDS_MAIL:
        return Outcome(False, "This portal has no mail server (EMAIL_URL).")
    recipients = parcel.address.split(",")
    try:
        return _submit(compose(parcel.letter, recipients), recipients)
    except SMTPRecipientsRefused:
        return Outcome(False, "The mail server refused every address.")
    except SMTPResponseException as error:
        return Outcome(False, f"The mail server answered {error.smtp_code}.")
    except (SMTPException, OSError) as error:
        logger.warning("a mail could not be sent: %s", type(error).__name__)
        return Outcome(False, "The mail server could not be reached, or broke off.")


def _submit(mail: EmailMultiAlternatives, recipients: list[str]) -> Outcome:
    """Past `send_messages`, which does not tell of addresses that were refused beside others that were not."""
    server = EmailBackend()
    server.open()
    if server.connection is None:
        return Outcome(False, "The mail server could not be reached.")
    try:
        message = mail.message().as_bytes(linesep="\r\n")  # type: ignore[call-arg]  # Django's own, as it sends itself
        refused = server.connection.sendmail(_sender(), recipients, message)
    finally:
        server.close()
    if refused:
        return Outcome(True, f"The mail server refused {len(refused)} of {len(recipients)} addresses.")
    return Outcome(True)


def compose(letter: Letter, recipients: list[str]) -> EmailMultiAlternatives:
    """The same Message-ID at every attempt, so that a mailbox can tell a second copy."""
    host = _sender().rpartition("@")[2] or "localhost"
    headers = {
        "Message-ID": f"<{letter.key}@{host}>", "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All",
    }  # fmt: skip
    if letter.thread:
        headers |= {"References": f"<{letter.thread}@{host}>", "In-Reply-To": f"<{letter.thread}@{host}>"}
    mail = EmailMultiAlternatives(letter.subject, letter.text, None, recipients, headers=headers)
    mail.attach_alternative(letter.html, "text/html")
    if letter.png:
        chart = MIMEImage(letter.png, "png")
        chart.add_header("Content-ID", f"<{CHART}>")
        chart.add_header("Content-Disposition", "inline", filename="chart.png")
        mail.mixed_subtype = "related"  # type: ignore[attr-defined]  # the stubs lack it
        mail.attach(chart)
    return mail


def _sender() -> str:
    """The bare address of `Name <address>`."""
    return settings.DEFAULT_FROM_EMAIL.rpartition("<")[2].rstrip(">")
