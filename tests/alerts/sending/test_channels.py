"""Channels: what may be one, what of it is kept how, and who mail goes to."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from accounts.models import AuditEvent, Role
from alerts.sending import channels
from alerts.sending.models import Channel, ChannelKind
from core.errors import ServiceError
from core.tenancy import schema_context
from tests.cast import Cast

WHO: Any = {"actor": "admin@alpha.example", "ip": None}
HOOK = "https://hooks.example/T000/a-secret-token"
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops"


def test_a_tenant_begins_with_mail_to_its_admins(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        channel = Channel.objects.get()
        assert (channel.name, channel.kind, channel.hint) == ("Admins by mail", "mail", "@admins")
        assert channels.address_of(channel) == "admin@alpha.example"


def test_a_secret_address_is_neither_stored_nor_told_in_clear(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        made = channels.create("hook", ChannelKind.WEBHOOK, HOOK, **WHO)
        row = str(Channel.objects.filter(pk=made.channel.pk).values().get())
        told = str(list(AuditEvent.objects.values_list("detail", flat=True)))
        assert channels.address_of(made.channel) == HOOK
        assert channels.secret_of(made.channel) == made.secret
    assert made.channel.hint == "https://hooks.example/…"
    for text in (row, told):
        assert "a-secret-token" not in text
        assert made.secret not in text


def test_another_tenant_cannot_open_what_is_copied_to_it(alpha: Cast, beta: Cast) -> None:
    with schema_context(alpha.schema):
        sealed = channels.create("hook", ChannelKind.WEBHOOK, HOOK, **WHO).channel.sealed_address
    with schema_context(beta.schema):
        copied = Channel.objects.create(name="hook", kind=ChannelKind.WEBHOOK, sealed_address=sealed)
        with pytest.raises(Exception, match="does not open"):
            channels.address_of(copied)


@pytest.mark.parametrize(
    ("kind", "address", "words"),
    [
        ("mail", "", "address is needed"),
        ("mail", "nobody", "mail addresses"),
        ("mail", "a@b.example, @nobody", "mail addresses"),
        ("mail", " ".join(f"a{n}@b.example" for n in range(21)), "20 mail addresses"),
        ("mail", "a@b.example\r\nBcc: c@d.example", "printable"),
        ("webhook", "http://hooks.example/", "https://"),
        ("webhook", "ftp://hooks.example/", "https://"),
        ("webhook", "https://", "https://"),
        ("webhook", "https://hooks.example:port/", "https://"),
        ("webhook", "https://[::1/", "https://"),
        ("webhook", "https://x.example/" + "a" * 2000, "2,000"),
        ("apprise", "nonsense-secret://", "apprise does not understand"),
        ("apprise", "syslog://", "not offered here"),
    ],
)
def test_what_cannot_be_an_address_is_a_sentence_without_it(alpha: Cast, kind: str, address: str, words: str) -> None:
    with schema_context(alpha.schema), pytest.raises(ServiceError, match=words) as refused:
        channels.create("x", kind, address, **WHO)
    assert refused.value.code.code == "CHANNEL_002"
    assert len(address) < 9 or address not in refused.value.sentence


def test_plain_http_may_be_where_the_operator_allows_a_network(alpha: Cast, settings: Any) -> None:
    settings.OUTGOING_ALLOW = ["10.0.0.0/8"]
    with schema_context(alpha.schema):
        assert channels.create("x", "webhook", "http://10.0.0.7:8080/x", **WHO).channel.hint == "http://10.0.0.7:8080/…"


def test_groups_are_the_people_of_the_moment(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        made = channels.create("all", "mail", "@everybody, ops@x.example @analysts", **WHO).channel
        everybody = {"admin@alpha.example", "analyst@alpha.example", "viewer@alpha.example", "ops@x.example"}
        assert set(channels.address_of(made).split(",")) == everybody
        viewer = alpha.user(Role.VIEWER)
        viewer.is_active = False
        viewer.save()
        assert set(channels.address_of(made).split(",")) == everybody - {"viewer@alpha.example"}


def test_a_service_is_shown_by_its_name_alone(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        assert channels.create("ops", "apprise", SLACK, **WHO).channel.hint == "Slack"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "blank"),
        ({"name": "Admins by mail"}, "of that name"),
        ({"name": "x" * 81}, "80"),
        ({"quiet_from": time(22)}, "beginning and an end"),
        ({"least_severity": "terrible"}, "not a valid choice"),
        ({"kind": "pigeon"}, "pigeon"),
    ],
)
def test_a_channel_that_cannot_be_is_refused(alpha: Cast, fields: dict[str, Any], words: str) -> None:
    wanted = {"name": "x", "kind": "mail", "address": "a@b.example", **fields}
    with schema_context(alpha.schema):
        with pytest.raises(ServiceError, match=words):
            channels.create(**wanted, **WHO)
        assert Channel.objects.count() == 1


def test_so_many_and_no_more(alpha: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "MOST_CHANNELS", 1)
    with schema_context(alpha.schema), pytest.raises(ServiceError, match="1 channels already"):
        channels.create("x", "mail", "a@b.example", **WHO)


def test_a_change_keeps_the_address_unless_one_is_given(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        made = channels.create("hook", "webhook", HOOK, **WHO).channel
        made.failures = 7
        made.save()
        channels.change(made, name="other", least_severity="critical", **WHO)
        found = channels.find(made.public_id)
        assert (found.name, channels.address_of(found), found.failures) == ("other", HOOK, 7)
        channels.change(found, address="https://new.example/x", **WHO)
        found = channels.find(made.public_id)
        assert (channels.address_of(found), found.hint, found.failures) == (
            "https://new.example/x", "https://new.example/…", 0,
        )  # fmt: skip


def test_a_new_secret_replaces_the_old_one(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        made = channels.create("hook", "webhook", HOOK, **WHO)
        renewed = channels.new_secret(made.channel, **WHO)
        assert renewed != made.secret
        assert channels.secret_of(channels.find(made.channel.public_id)) == renewed
        with pytest.raises(ServiceError, match="Only a webhook"):
            channels.new_secret(Channel.objects.get(kind="mail"), **WHO)


def test_every_change_is_in_the_audit_log(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        made = channels.create("hook", "webhook", HOOK, **WHO).channel
        channels.change(made, enabled=False, **WHO)
        channels.new_secret(made, **WHO)
        channels.delete(made, **WHO)
        events = AuditEvent.objects.filter(event__startswith="channel.").order_by("id").values_list("event", flat=True)
        assert list(events) == ["channel.created", "channel.changed", "channel.secret", "channel.deleted"]
