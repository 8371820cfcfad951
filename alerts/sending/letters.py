"""A message of the outbox in words: what, where, since when, how bad, and where to look and to acknowledge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string

from alerts.models import Alert, Message, MessageKind, Severity, State
from alerts.sending import payload, phrases
from alerts.sending.parcels import Letter

MOST_LINES = 20
_LEADS = {
    MessageKind.REPEAT: "Still firing: ",
    MessageKind.ESCALATION: "Nobody acknowledged: ",
    MessageKind.RESOLVED: "Resolved: ",
    MessageKind.SUMMARY: "Summary: ",
}
_RANK = {severity: rank for rank, severity in enumerate(Severity.values)}


@dataclass(frozen=True)
class Sender:
    """Whose portal it is, its time zone, and what knows the portal's pages.

    chart: the address of the chart at the moment of an alert, or empty. page: where a person acknowledges it.
    picture: the chart as PNG, or empty. home: the address of all alerts.
    """

    name: str
    zone: ZoneInfo
    home: str
    page: Callable[[Alert], str]
    chart: Callable[[Alert], str]
    picture: Callable[[Alert], bytes]


@dataclass(frozen=True)
class Line:
    """One alert, in words."""

    alert: Alert
    where: str
    since: str
    lasted: str
    sentence: str
    chart: str
    page: str

    @property
    def is_over(self) -> bool:
        return self.alert.state == State.RESOLVED


def write(message: Message, sender: Sender, now: datetime) -> Letter:
    """As things stand now: of what is over by then it says so."""
    alerts = sorted(message.alerts.select_related("rule", "collector"), key=lambda one: (-_RANK[one.severity], one.id))
    lines = [_line(alert, sender, now) for alert in alerts[:MOST_LINES]]
    title = f"{_LEADS.get(MessageKind(message.kind), '')}{_title(message, alerts)}"
    subject, more = phrases.plain(f"[{sender.name}] {title}"), len(alerts) - len(lines)
    png = sender.picture(alerts[0]) if alerts and message.kind != MessageKind.RESOLVED else b""
    context = {
        "subject": subject, "title": title, "message": message, "lines": lines, "more": more, "home": sender.home,
        "key": message.key, "has_chart": bool(png),
    }  # fmt: skip
    told = [payload.of_alert(line.alert, line.sentence, line.chart, line.page) for line in lines]
    return Letter(
        key=message.key, severity=message.severity, subject=subject,
        text=render_to_string("sending/message.txt", context), html=render_to_string("sending/message.html", context),
        payload=payload.of_message(message, subject, told, more, sender.home), png=png,
        thread=alerts[0].public_id if alerts else "", is_good_news=message.kind == MessageKind.RESOLVED,
    )  # fmt: skip


def _line(alert: Alert, sender: Sender, now: datetime) -> Line:
    return Line(
        alert, phrases.where(alert), phrases.moment(alert.since, sender.zone), phrases.lasted(alert, now),
        phrases.sentence(alert), sender.chart(alert), sender.page(alert),
    )  # fmt: skip


def _title(message: Message, alerts: Sequence[Alert]) -> str:
    """Critical: CPU is short – web1; or what several have in common."""
    severity = "" if message.kind == MessageKind.RESOLVED else f"{Severity(message.severity).label}: "
    if len(alerts) == 1:
        return f"{severity}{alerts[0].rule_name} – {phrases.where(alerts[0])}"
    rules, places = {alert.rule_name for alert in alerts}, {alert.collector_id for alert in alerts}
    if len(rules) == 1:
        return f"{severity}{alerts[0].rule_name} – {len(alerts)} times on {len(places)} machines"
    if len(places) == 1 and alerts[0].collector:
        return f"{severity}{len(alerts)} alerts – {alerts[0].collector.machine_id}"
    return f"{severity}{len(alerts)} alerts on {len(places)} machines"
