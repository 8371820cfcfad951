"""Periodic duties of reports: ask for what is scheduled, make what waits, mail what is made, and forget old ones."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from accounts import tenant_settings
from partners.duties import Duty, Stopped
from partners.models import Partner
from reports.jobs import mail, making, queue, schedules
from reports.jobs.mail import Sender


def ask_for_scheduled(partner: Partner, now: datetime, stopped: Stopped) -> str:
    count = schedules.run_due(tenant_settings.zone(), now, stopped)
    return f"{count} scheduled reports" if count else ""


def make_reports(partner: Partner, now: datetime, stopped: Stopped) -> str:
    """One a turn, so that the other partners and duties have theirs."""
    report = queue.take(timezone.now())
    return making.make(report, stopped) if report else ""


def mail_reports(partner: Partner, now: datetime, stopped: Stopped) -> str:
    """One a turn: a mail server that hangs takes the others' time but for one."""
    brand = tenant_settings.read()
    return mail.send_next(Sender(brand.brand_name or partner.name, brand.brand_colour), timezone.now())


def trim_reports(partner: Partner, now: datetime, stopped: Stopped) -> str:
    before = now - timedelta(days=partner.rollup_retention_days)
    count = queue.trim(before)
    schedules.trim(before, now)
    return f"{count} old reports" if count else ""


DUTIES = (
    Duty("old reports", timedelta(hours=1), trim_reports),
    Duty("scheduled reports", timedelta(seconds=30), ask_for_scheduled),
    Duty("reports", timedelta(seconds=5), make_reports),
    Duty("mails of reports", timedelta(seconds=5), mail_reports),
)
