"""Mail to one person. A portal without EMAIL_URL sends none: what the mail would say is shown instead."""

from __future__ import annotations

import logging
import threading
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

logger = logging.getLogger("perfanalysis.mail")


def send(to: str, subject: str, text: str) -> bool:
    """Whether the mail server took it."""
    if not settings.SENDS_MAIL:
        return False
    try:
        return send_mail(subject, text, None, [to]) == 1
    except (SMTPException, OSError) as error:
        logger.warning("a mail could not be sent: %s", type(error).__name__)
        return False


def send_later(to: str, subject: str, text: str) -> None:
    """After the answer, so that its time does not tell whether there is such an account."""
    threading.Thread(target=send, args=(to, subject, text)).start()
