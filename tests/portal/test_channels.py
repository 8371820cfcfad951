"""Page Channels: making, testing, changing, switching off, deleting; secrets are shown once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import Role
from alerts.sending import channels
from alerts.sending.models import Channel
from core.tenancy import schema_context
from tests.cast import Cast
from tests.receivers import MailServer, Receiver, mailing, receiving

LIST, MAKE = "/manage/channels", "/manage/channels/make"
MAIL = {"kind": "mail", "name": "Ops", "address": "ops@alpha.example", "least_severity": "warning"}


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.OUTGOING_ALLOW = ["127.0.0.1/32"]
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    with mailing() as server:
        settings.SENDS_MAIL, settings.EMAIL_HOST, settings.EMAIL_PORT = True, "127.0.0.1", server.port
        yield server


def find(cast: Cast, name: str) -> Channel:
    with schema_context(cast.schema):
        return Channel.objects.get(name=name)


def hook(cast: Cast, receiver: Receiver) -> str:
    """A webhook's address on the page."""
    with schema_context(cast.schema):
        made = channels.create("Hook", "webhook", receiver.url(), actor="test", ip=None).channel
    return f"{LIST}/{made.public_id}"


@pytest.mark.parametrize("kind", ["mail", "apprise", "webhook", "pigeon"])
def test_the_form_of_each_kind_helps_with_examples(alpha: Cast, kind: str) -> None:
    page = alpha.client(Role.ADMIN).get(LIST, {"kind": kind}).content.decode()
    assert {"apprise": "slack://", "webhook": "https://hooks.example.com"}.get(kind, "@admins") in page
    assert "Admins by mail" in page


def test_a_channel_is_made_and_listed_without_its_secrets(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    made = client.post(MAKE, {"kind": "webhook", "name": "<b>x</b>", "address": "https://h.example/token-77",
                              "least_severity": "info"})  # fmt: skip
    page = made.content.decode()
    assert made.status_code == 200
    assert "whsec_" in page
    assert "shown once" in page
    again = client.get(LIST).content.decode()
    assert "whsec_" not in again
    assert "token-77" not in page + again
    assert "<b>x</b>" not in again
    assert "h.example" in again


def test_a_bad_form_says_why_and_makes_nothing(alpha: Cast) -> None:
    client = alpha.client(Role.ADMIN)
    for changed, words in (({"address": "nobody"}, "Give mail addresses"), ({"name": ""}, "required"),
                           ({"quiet_from": "22:00"}, "beginning and an end")):  # fmt: skip
        assert words in client.post(MAKE, {**MAIL, **changed}).content.decode()
    with schema_context(alpha.schema):
        assert Channel.objects.count() == 1


def test_a_test_of_a_webhook_arrives_and_is_shown(alpha: Cast, receiver: Receiver) -> None:
    path, client = hook(alpha, receiver), alpha.client(Role.ADMIN)
    page = client.post(f"{path}/test", follow=True).content.decode()
    assert "Hook took the test." in page
    assert b'"kind": "test"' in receiver.got[0].body
    assert "works" in page


def test_a_test_that_fails_says_why_without_the_answer(alpha: Cast, receiver: Receiver) -> None:
    receiver.statuses, receiver.body = [500], b"the inside of the receiver"
    page = alpha.client(Role.ADMIN).post(f"{hook(alpha, receiver)}/test", follow=True).content.decode()
    assert "did not take the test. The receiver answered 500." in page
    assert "failing" in page
    assert "the inside" not in page
    found = find(alpha, "Hook")
    assert (found.failures, found.last_failure) == (1, "The receiver answered 500.")
    shown = alpha.client(Role.ADMIN).get(f"{LIST}/{found.public_id}").content.decode()
    assert "The receiver answered 500. 1 failure in a row" in shown


def test_a_test_of_mail_arrives(alpha: Cast, mail_server: MailServer) -> None:
    client = alpha.client(Role.ADMIN)
    assert client.post(MAKE, MAIL).status_code == 302
    client.post(f"{LIST}/{find(alpha, 'Ops').public_id}/test")
    (mail,) = mail_server.mails()
    assert mail["Subject"] == "[Alpha] Test of the channel Ops"
    assert mail["To"] == "ops@alpha.example"


def test_tests_are_limited(alpha: Cast, receiver: Receiver) -> None:
    path, client = hook(alpha, receiver), alpha.client(Role.ADMIN)
    answers = [client.post(f"{path}/test").status_code for _ in range(11)]
    assert answers == [302] * 10 + [429]


def test_a_channel_is_changed_switched_off_and_deleted(alpha: Cast, receiver: Receiver) -> None:
    path, client = hook(alpha, receiver), alpha.client(Role.ADMIN)
    changed = {
        "name": "Other",
        "address": "",
        "least_severity": "critical",
        "quiet_from": "22:00",
        "quiet_until": "07:00",
    }
    assert client.post(path, changed).status_code == 302
    found = find(alpha, "Other")
    assert (found.least_severity, str(found.quiet_from)) == ("critical", "22:00:00")
    with schema_context(alpha.schema):
        assert channels.address_of(found) == receiver.url()
    page = client.get(path).content.decode()
    assert 'value="22:00' in page
    client.post(f"{path}/switch")
    assert not find(alpha, "Other").enabled
    client.post(f"{path}/switch")
    assert find(alpha, "Other").enabled
    assert "whsec_" in client.post(f"{path}/secret").content.decode()
    client.post(f"{path}/delete")
    assert client.get(path).status_code == 404


def test_a_mail_channel_without_a_mail_server_says_so(alpha: Cast, settings: Any) -> None:
    settings.SENDS_MAIL = False
    page = alpha.client(Role.ADMIN).get(LIST).content.decode()
    assert "no mail server" in page
    assert "EMAIL_URL" in page
