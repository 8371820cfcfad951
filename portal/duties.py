"""Periodic duties that need the pages: messages of alerts link to them."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from alerts.sending.postman import Postman, Threads
from partners.duties import Duty, Stopped
from partners.models import Partner
from portal import telling

_postman = Postman(Threads().start)


def deliver(partner: Partner, now: datetime, stopped: Stopped) -> str:
    """A suspended partner's messages wait: nobody may open what they link to."""
    if not partner.is_open:
        return ""
    begun = _postman.deliver(telling.sender(partner), timezone.now(), stopped)
    return f"began {begun}" if begun else ""


DUTIES = (Duty("notifications", timedelta(seconds=5), deliver),)
