"""What messages of alerts need of the portal: its name, links to its pages, and small charts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import vl_convert
from django.urls import reverse

from accounts import tenant_settings
from alerts.models import Alert
from alerts.sending import pictures
from alerts.sending.letters import Sender
from alerts.sending.pictures import Picture
from partners import hosts
from partners.models import Partner
from reports import charts, svg

WIDTH, HEIGHT = 560, 120
AFTER = timedelta(minutes=30)


@dataclass(frozen=True)
class _Drawn:
    """A line of the chart."""

    name: str
    title: str


def sender(partner: Partner) -> Sender:
    """Of the current tenant."""
    settings, home = tenant_settings.read(), hosts.home(partner)
    return Sender(
        name=settings.brand_name or partner.name, zone=tenant_settings.zone(), home=home + reverse("alerts"),
        page=lambda alert: _page(home, alert), chart=lambda alert: _chart(home, alert), picture=picture,
    )  # fmt: skip


def _page(home: str, alert: Alert) -> str:
    return home + reverse("alert", args=[alert.public_id])


def _chart(home: str, alert: Alert) -> str:
    """The machine's page at that time; empty where several machines are meant."""
    if alert.collector is None:
        return ""
    start, end = pictures.period(alert)
    query = urlencode({"from": f"{start.astimezone(UTC):%Y-%m-%dT%H:%MZ}", "to": f"{end + AFTER:%Y-%m-%dT%H:%MZ}"})
    return f"{home}{reverse('machine', args=[alert.collector.machine_id])}?{query}"


def picture(alert: Alert) -> bytes:
    """PNG on white, twice its size for sharp screens; empty where nothing was measured."""
    found = pictures.of(alert)
    if found is None or not any(value is not None for value in found.values):
        return b""
    drawn = svg.draw(_spec(found)).replace("<g ", '<rect width="100%" height="100%" fill="#fff"/><g ', 1)
    return bytes(vl_convert.svg_to_png(drawn, scale=2))


def _spec(found: Picture) -> charts.Spec:
    lines = [_Drawn("value", found.title)]
    rows = [_row(moment, found.title, value) for moment, value in zip(found.moments, found.values, strict=True)]
    if found.threshold is not None:
        lines.append(_Drawn("limit", "limit"))
        rows += [_row(found.moments[at], "limit", found.threshold) for at in (0, -1)]
    maximum = 100.0 if found.unit == "%" else None
    spec = charts.time_series("", found.unit, lines, maximum=maximum, height=HEIGHT, utc=True, interactive=False)
    start, end = (found.moments[at].timestamp() * 1000 for at in (0, -1))
    return charts.with_rows(spec, rows, start=start, end=end, width=WIDTH)


def _row(moment: datetime, metric: str, value: float | None) -> dict[str, object]:
    return {"timestamp": moment.timestamp() * 1000, "metric": metric, "value": value}
