"""The duty of delivery: real sends, several workers, receivers that hang, fail or lead inside, and workers that die."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.models import MessageKind, State
from alerts.sending import channels, postman, queue, senders
from alerts.sending.letters import Sender
from alerts.sending.models import Channel, Delivery, DeliveryState
from alerts.sending.parcels import Outcome, Parcel
from alerts.sending.postman import Postman
from core.tenancy import current_schema, schema_context
from tests.alerts.sending.conftest import PNG
from tests.alerts.sending.test_queue import WHO, alert, message
from tests.cast import Cast
from tests.receivers import MailServer, Receiver

NOW = datetime.now(UTC).replace(microsecond=0)
HOME = "https://alpha.example"
SENDER = Sender(
    "Alpha", ZoneInfo("UTC"), HOME, lambda one: f"{HOME}/alerts/{one.public_id}", lambda one: f"{HOME}/chart",
    lambda one: PNG,
)  # fmt: skip


def inline(round_: Callable[[], None]) -> None:
    round_()


def never() -> bool:
    return False


def turn(now: datetime = NOW, worker: Postman | None = None) -> int:
    return (worker or Postman(inline)).deliver(SENDER, now, never)


def hook(receiver: Receiver, name: str = "hook", path: str = "/hook") -> Channel:
    return channels.create(name, "webhook", receiver.url(path=path), **WHO).channel


def states() -> list[str]:
    return list(Delivery.objects.order_by("id").values_list("state", flat=True))


def make_due() -> None:
    Delivery.objects.update(due_at=NOW)
    Channel.objects.update(paused_until=None)


def test_a_message_arrives_signed_with_what_a_program_needs(alpha: Cast, receiver: Receiver) -> None:
    with schema_context(alpha.schema):
        hook(receiver)
        evidence = {
            "title": "CPU busy", "unit": "%", "value": 96.71, "threshold": 90.0, "samples": 10, "window_seconds": 600,
        }  # fmt: skip
        about = alert(collector=alpha.collector(), severity="critical", value=96.71, evidence=evidence)
        key = message(MessageKind.FIRING, about).key
        assert turn() == 1
        assert states() == [DeliveryState.SENT]
    body = json.loads(receiver.got[0].body)
    assert receiver.got[0].headers["webhook-id"] == body["id"] == key
    assert body["title"] == "[Alpha] Critical: hot – server1"
    assert (body["version"], body["kind"], body["severity"], body["more"]) == (1, "firing", "critical", 0)
    (told,) = body["alerts"]
    assert (told["machine"], told["value"], told["state"]) == ("server1", 96.71, "firing")
    assert told["sentence"] == "CPU busy: 96.7 %, limit 90 %. Mean of 10 min, 10 samples."
    assert told["since"] == "2026-03-04T12:00:00+00:00"
    assert told["links"] == {"chart": f"{HOME}/chart", "alert": f"{HOME}/alerts/{about.public_id}"}


def test_a_mail_tells_the_same_with_the_chart(alpha: Cast, mail_server: MailServer) -> None:
    with schema_context(alpha.schema):
        about = alert(
            collector=alpha.collector(), severity="critical", evidence={"title": "CPU", "value": 96.7, "unit": "%"}
        )
        key = message(MessageKind.FIRING, about).key
        assert turn() == 1
    (mail,) = mail_server.mails()
    assert mail["To"] == "admin@alpha.example"
    assert mail["Subject"] == "[Alpha] Critical: hot – server1"
    assert mail["Message-ID"] == f"<{key}@perf.example>"
    parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    for part in (parts["text/plain"], parts["text/html"]):
        assert "CPU: 96.7 %." in part
        assert "2026-03-04 12:00 UTC" in part
        assert f"{HOME}/alerts/{about.public_id}" in part
        assert key in part
    assert parts["image/png"] == PNG


def test_a_receiver_that_fails_and_recovers_gets_it_once(alpha: Cast, receiver: Receiver) -> None:
    receiver.statuses = [500, 503, 200]
    with schema_context(alpha.schema):
        hook(receiver)
        message(MessageKind.FIRING, alert())
        for expected in (DeliveryState.WAITING, DeliveryState.WAITING, DeliveryState.SENT, DeliveryState.SENT):
            turn()
            make_due()
            assert states() == [expected]
    assert len(receiver.got) == 3
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1


def test_two_workers_deliver_one(alpha: Cast, receiver: Receiver) -> None:
    """The second one looks while the first is sending."""
    with schema_context(alpha.schema):
        hook(receiver)
        message(MessageKind.FIRING, alert())
        begun: list[int] = []

        def start(round_: Callable[[], None]) -> None:
            begun.append(turn())
            round_()

        assert turn(worker=Postman(start)) == 1
        assert begun == [0]
    assert len(receiver.got) == 1


def test_a_worker_that_dies_after_sending_sends_it_again_under_the_same_id(alpha: Cast, receiver: Receiver) -> None:
    with schema_context(alpha.schema):
        hook(receiver)
        message(MessageKind.FIRING, alert())
        died: list[Callable[[], None]] = []

        def send_and_die(parcel: Parcel) -> Outcome:
            senders._SENDERS["webhook"](parcel)
            raise KeyboardInterrupt

        turn(worker=Postman(died.append))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(senders, "send", send_and_die)
            with pytest.raises(KeyboardInterrupt):
                died[0]()
        assert states() == [DeliveryState.WAITING]
        assert turn(NOW + timedelta(minutes=1)) == 0
        assert turn(NOW + queue.LEASE + timedelta(minutes=1)) == 1
        assert states() == [DeliveryState.SENT]
    first, second = (got.headers["webhook-id"] for got in receiver.got)
    assert first == second


def test_a_receiver_that_hangs_holds_up_nobody(alpha: Cast, receiver: Receiver) -> None:
    """Its thread waits; the turn goes on, and the next one leaves it alone."""
    waiting: list[Callable[[], None]] = []
    with schema_context(alpha.schema):
        slow, quick = hook(receiver, "a slow one"), hook(receiver, "quick", "/quick")

        def start(round_: Callable[[], None]) -> None:
            waiting.append(round_) if not waiting else round_()

        worker = Postman(start)
        for _ in range(2):
            message(MessageKind.FIRING, alert())
            turn(worker=worker)
        told = {one.pk: set(one.deliveries.values_list("state", flat=True)) for one in (slow, quick)}
        assert told[quick.pk] == {DeliveryState.SENT}
        assert told[slow.pk] == {DeliveryState.WAITING}
        assert [got.path for got in receiver.got] == ["/quick", "/quick"]
        waiting[0]()
        turn(worker=worker)
        assert set(states()) == {DeliveryState.SENT}


def test_channels_in_trouble_leave_places_to_the_others(
    alpha: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.SENDS_MAIL = False
    monkeypatch.setattr(postman, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(postman, "MOST_IN_TROUBLE", 1)
    started: list[Callable[[], None]] = []
    with schema_context(alpha.schema):
        for number in range(4):
            made = hook(receiver, f"failing {number}")
            Channel.objects.filter(pk=made.pk).update(failures=2)
        good = hook(receiver, "good")
        message(MessageKind.FIRING, alert())
        worker = Postman(started.append)
        assert turn(worker=worker) == 2
        assert Delivery.objects.filter(channel=good, attempts=1).exists()
        for round_ in started:
            round_()
        assert turn(worker=worker) == 1


def test_after_a_failure_the_rest_of_the_round_waits(alpha: Cast, receiver: Receiver) -> None:
    receiver.statuses = [500]
    with schema_context(alpha.schema):
        hook(receiver)
        for _ in range(4):
            message(MessageKind.FIRING, alert())
        turn()
        assert len(receiver.got) == 1
        assert sorted(Delivery.objects.values_list("attempts", flat=True)) == [0, 0, 0, 1]
        assert not Delivery.objects.filter(lease_until__isnull=False).exists()


def test_a_worker_that_is_stopped_gives_back_what_it_has_not_sent(alpha: Cast, receiver: Receiver) -> None:
    with schema_context(alpha.schema):
        hook(receiver)
        message(MessageKind.FIRING, alert())
        assert Postman(inline).deliver(SENDER, NOW, lambda: True) == 1
        assert receiver.got == []
        assert turn() == 1
    assert len(receiver.got) == 1


def test_a_redirect_inward_is_a_failure_that_is_shown(alpha: Cast, receiver: Receiver) -> None:
    receiver.statuses, receiver.headers = [302], {"Location": "http://169.254.169.254/latest/meta-data"}
    with schema_context(alpha.schema):
        made = hook(receiver)
        message(MessageKind.FIRING, alert())
        turn()
        made.refresh_from_db()
        assert made.last_failure == "The receiver answered 302. Redirects are not followed."


def test_an_address_that_no_longer_opens_is_said(alpha: Cast, receiver: Receiver, settings: Any) -> None:
    with schema_context(alpha.schema):
        made = hook(receiver)
        settings.SECRET_KEY = "another " * 8
        message(MessageKind.FIRING, alert())
        turn()
        made.refresh_from_db()
        assert "enter it again" in made.last_failure


def test_a_bug_in_sending_is_one_failure_and_not_the_worker_s(
    alpha: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(parcel: Parcel) -> Outcome:
        raise RuntimeError(parcel.address)

    monkeypatch.setattr(senders, "_SENDERS", {"webhook": broken})
    with schema_context(alpha.schema):
        made = hook(receiver, path="/secret-token")
        message(MessageKind.FIRING, alert())
        turn()
        made.refresh_from_db()
        assert "RuntimeError" in made.last_failure
    assert "secret-token" not in caplog.text + made.last_failure


def test_each_tenant_has_its_own_channels_and_messages(alpha: Cast, beta: Cast, receiver: Receiver) -> None:
    for cast in (alpha, beta):
        with schema_context(cast.schema):
            hook(receiver, path=f"/{cast.schema}")
    with schema_context(alpha.schema):
        message(MessageKind.FIRING, alert())
    for cast in (beta, alpha):
        with schema_context(cast.schema):
            turn()
            assert current_schema() == cast.schema
    assert [got.path for got in receiver.got] == ["/alpha"]


def test_several_alerts_are_one_message(alpha: Cast, receiver: Receiver) -> None:
    with schema_context(alpha.schema):
        hook(receiver)
        message(MessageKind.FIRING, *(alert(collector=alpha.collector(), instance=f"/srv{n}") for n in range(25)))
        turn()
    body = json.loads(receiver.got[0].body)
    assert body["title"] == "[Alpha] Warning: hot – 25 times on 1 machines"
    assert (len(body["alerts"]), body["more"]) == (20, 5)


def test_hostile_names_stay_text(alpha: Cast, mail_server: MailServer) -> None:
    """Trap 40: the mount of a file system is any bytes."""
    with schema_context(alpha.schema):
        evil = "<script>alert(1)</script>\r\nBcc: x@y.example\u202e"
        message(MessageKind.FIRING, alert(collector=alpha.collector(), instance=evil, rule_name="{{7*7}}<b>"))
        turn()
    (mail,) = mail_server.mails()
    html = next(part.get_content() for part in mail.walk() if part.get_content_type() == "text/html")
    assert mail["Bcc"] is None
    assert "<script>" not in html
    assert "<b>" not in html
    assert "\u202e" not in html + str(mail["Subject"])
    assert "{{7*7}}" in html


def test_the_threads_write_down_under_their_own_tenant(alpha: Cast) -> None:
    """Trap 23: a thread begins in the public schema, and leaves nothing behind."""
    seen: list[str] = []
    done = threading.Event()

    def round_() -> None:
        with schema_context(alpha.schema):
            seen.append(current_schema())
        seen.append(current_schema())
        done.set()

    postman.Threads().start(round_)
    assert done.wait(10)
    assert seen == ["alpha", "public"]


def test_nothing_is_due_costs_no_sending(alpha: Cast, django_assert_max_num_queries: Any) -> None:
    with schema_context(alpha.schema), django_assert_max_num_queries(5):
        assert turn() == 0


def test_what_is_resolved_by_now_says_so(alpha: Cast, receiver: Receiver) -> None:
    with schema_context(alpha.schema):
        hook(receiver)
        message(MessageKind.FIRING, alert(state=State.RESOLVED, resolved_at=NOW, resolution="It is over."))
        turn()
    (told,) = json.loads(receiver.got[0].body)["alerts"]
    assert (told["state"], told["resolution"]) == ("resolved", "It is over.")
