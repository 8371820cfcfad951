"""What messages of alerts get from the portal: links that lead somewhere, and a picture of what was judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts import tenant_settings
from accounts.models import Role
from alerts.models import Alert, Kind, Message, MessageKind, Rule, State
from alerts.sending import channels, pictures
from alerts.sending.models import Delivery
from alerts.sending.postman import Postman
from core.tenancy import schema_context
from portal import duties, telling
from tests import samples
from tests.cast import MACHINE, Cast

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
PNG = b"\x89PNG\r\n\x1a\n"


def never() -> bool:
    return False


def hot(cast: Cast, **fields: Any) -> Alert:
    """An alert of CPU use of the last half hour; in the tenant's schema."""
    rule = Rule.objects.create(
        name="hot", kind=Kind.THRESHOLD, quantity="system.cpu_busy_percent", threshold=80, window_seconds=600
    )
    return Alert.objects.create(
        rule=rule, rule_name="hot", severity="critical", collector=cast.collector(), target="machine:1",
        state=State.FIRING, since=NOW - timedelta(minutes=30), fired_at=NOW, evaluated_at=NOW, **fields,
    )  # fmt: skip


def measure(cast: Cast, minutes: int = 120) -> None:
    moments = samples.minutes(NOW - timedelta(minutes=minutes), minutes)
    busy = [90.0 if number > minutes - 40 else 20.0 for number in range(minutes)]
    samples.upload(cast, {"timestamp": moments, "cpu_idle": [100 - one for one in busy], "cpu_iowait": [0.0] * minutes})


def test_a_picture_shows_what_the_rule_judged(alpha: Cast) -> None:
    measure(alpha)
    with schema_context(alpha.schema):
        about = hot(alpha)
        found = pictures.of(about)
        assert found is not None
        assert (found.title, found.unit, found.threshold) == ("CPU busy", "%", 80)
        known = [value for value in found.values if value is not None]
        assert min(known) == pytest.approx(20)
        assert max(known) == pytest.approx(90)
        assert found.moments[-1] == NOW
        assert None in found.values  # before the first sample
        assert telling.picture(about).startswith(PNG)


def test_without_samples_or_rule_there_is_no_picture(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        about = hot(alpha)
        assert telling.picture(about) == b""
        about.rule = None
        assert telling.picture(about) == b""
        about.rule = Rule(name="silent", kind=Kind.NO_DATA)
        assert telling.picture(about) == b""


def test_links_lead_to_pages_of_that_tenant(alpha: Cast, settings: Any) -> None:
    settings.HTTPS, settings.PUBLIC_PORT = True, 8443
    with schema_context(alpha.schema):
        sender, about = telling.sender(alpha.partner), hot(alpha)
        chart, page = sender.chart(about), sender.page(about)
    assert chart.startswith(f"https://alpha.localhost:8443/machines/{MACHINE}?from=")
    assert page == f"https://alpha.localhost:8443/alerts/{about.public_id}"
    assert alpha.client(Role.VIEWER).get(page.removeprefix("https://alpha.localhost:8443")).status_code == 200
    answer = alpha.client(Role.VIEWER).get(chart.removeprefix("https://alpha.localhost:8443"))
    assert answer.status_code == 200
    assert f"{about.since - timedelta(hours=6):%Y-%m-%dT%H:%M}" in answer.content.decode()


def test_of_several_machines_there_is_no_chart(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        about = hot(alpha)
        about.collector = None
        assert telling.sender(alpha.partner).chart(about) == ""


@pytest.mark.parametrize(("https", "port", "home"), [
    (True, 0, "https://alpha.localhost"), (False, 0, "http://alpha.localhost"),
    (False, 8700, "http://alpha.localhost:8700"),
])  # fmt: skip
def test_the_home_of_a_portal_follows_the_settings(
    alpha: Cast, settings: Any, https: bool, port: int, home: str
) -> None:
    settings.HTTPS, settings.PUBLIC_PORT = https, port
    with schema_context(alpha.schema):
        assert telling.sender(alpha.partner).home == f"{home}/alerts"


def test_the_name_is_the_brand_s(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        assert telling.sender(alpha.partner).name == "Alpha"
        tenant_settings.change(brand_name="Watchers", actor="test", ip=None)
        assert telling.sender(alpha.partner).name == "Watchers"


def test_a_suspended_partner_s_messages_wait(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(duties, "_postman", Postman(started.append))
    with schema_context(alpha.schema):
        channels.create("hook", "webhook", "https://hooks.invalid/", actor="test", ip=None)
        message = Message.objects.create(
            kind=MessageKind.FIRING, group="x", severity="critical", created_at=NOW, due_at=NOW
        )
        message.alerts.add(hot(alpha))
        alpha.partner.active = False
        try:
            assert duties.deliver(alpha.partner, NOW, never) == ""
            assert not Delivery.objects.exists()
        finally:
            alpha.partner.active = True
        assert duties.deliver(alpha.partner, NOW, never) == "began 1"
    assert len(started) == 1


def test_a_machine_with_a_colon_in_its_id_is_linked(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        about = hot(alpha)
        assert about.collector is not None
        about.collector.machine_id = "rack:7.db"
        chart = telling.sender(alpha.partner).chart(about)
    assert "/machines/rack:7.db?from=" in chart
