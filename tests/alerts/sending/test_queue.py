"""Deliveries: which message goes to which channel, who claims it, when it is tried again, and when it is not needed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accounts import tenant_settings
from alerts.models import Alert, Message, MessageKind, Rule, Severity, State
from alerts.sending import backoff, channels, queue, quiet
from alerts.sending.models import Channel, Delivery, DeliveryState
from alerts.sending.parcels import Outcome
from core.tenancy import schema_context
from tests.cast import Cast

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WHO: Any = {"actor": "test", "ip": None}
TAKEN, REFUSED = Outcome(True), Outcome(False, "The receiver answered 500.")


def alert(severity: str = Severity.WARNING, **fields: Any) -> Alert:
    rule, _ = Rule.objects.get_or_create(name="hot", kind="threshold")
    values = {"state": State.FIRING, "target": f"machine:{Alert.objects.count()}", "since": NOON, "evaluated_at": NOON}
    values |= {"rule_name": "hot", "fired_at": NOON}
    return Alert.objects.create(rule=rule, severity=severity, **{**values, **fields})


def message(kind: str, *alerts: Alert, due_at: datetime = NOON) -> Message:
    made = Message.objects.create(
        kind=kind, group="rule:1", severity=alerts[0].severity, created_at=due_at, due_at=due_at
    )
    made.alerts.add(*alerts)
    return made


def channel(name: str, **fields: Any) -> Channel:
    return channels.create(name, "webhook", f"https://{name}.example/", **WHO, **fields).channel


def due(now: datetime = NOON) -> list[Delivery]:
    return queue.due(now, (), 100)


def attempt(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    assert queue.claim(delivery, now)
    queue.record(delivery.pk, delivery.attempts, outcome, now)


def test_a_message_goes_to_each_channel_that_wants_it(alpha: Cast, settings: Any) -> None:
    settings.SENDS_MAIL = True
    with schema_context(alpha.schema):
        channel("all", least_severity="info")
        channel("worst", least_severity="critical")
        channel("second", escalations_only=True)
        channels.change(channel("off"), enabled=False, **WHO)
        one, bad = alert(Severity.INFO), alert(Severity.CRITICAL)
        for kind, about in (
            (MessageKind.FIRING, one), (MessageKind.FIRING, bad), (MessageKind.REPEAT, bad),
            (MessageKind.ESCALATION, bad), (MessageKind.RESOLVED, bad), (MessageKind.SUMMARY, bad),
        ):  # fmt: skip
            message(kind, about)
        assert queue.spread(NOON) == 6
        assert queue.spread(NOON) == 0
        told = {
            name: list(
                Delivery.objects.filter(channel__name=name).order_by("id").values_list("message__kind", flat=True)
            )
            for name in ("all", "worst", "second", "off", "Admins by mail")
        }
    assert told["all"] == ["firing", "firing", "repeat", "escalation", "resolved", "summary"]
    assert told["worst"] == told["Admins by mail"] == ["firing", "repeat", "escalation", "resolved", "summary"]
    assert told["second"] == ["escalation", "resolved"]
    assert told["off"] == []


def test_without_a_mail_server_no_mail_waits_for_ever(alpha: Cast, settings: Any) -> None:
    settings.SENDS_MAIL = False
    with schema_context(alpha.schema):
        message(MessageKind.FIRING, alert())
        assert queue.spread(NOON) == 1
        assert not Delivery.objects.exists()


def test_of_two_workers_one_has_it(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        channel("hook")
        message(MessageKind.FIRING, alert())
        queue.spread(NOON)
        (first,), (second,) = due(), due()
        assert queue.claim(first, NOON)
        assert not queue.claim(second, NOON)
        assert due() == []


def test_what_a_dead_worker_left_is_sent_again_under_the_same_key(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        channel("hook")
        key = message(MessageKind.FIRING, alert()).key
        queue.spread(NOON)
        (dead,) = due()
        assert queue.claim(dead, NOON)
        later = NOON + queue.LEASE + MINUTE
        (again,) = due(later)
        assert again.message.key == key
        attempt(again, TAKEN, later)
        queue.record(dead.pk, dead.attempts, REFUSED, later)  # the dead one was only slow
        assert Delivery.objects.get().state == DeliveryState.SENT


def test_a_failure_is_tried_again_later_and_shown(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        hook = channel("hook")
        message(MessageKind.FIRING, alert())
        queue.spread(NOON)
        (one,) = due()
        attempt(one, REFUSED, NOON)
        found = Delivery.objects.get()
        assert (found.state, found.attempts, found.reason) == (DeliveryState.WAITING, 1, REFUSED.reason)
        assert NOON + backoff.SOONEST <= found.due_at <= NOON + backoff.FIRST
        assert due(NOON) == []
        hook.refresh_from_db()
        assert (hook.failures, hook.last_failure, hook.last_failed_at) == (1, REFUSED.reason, NOON)
        (one,) = due(found.due_at)
        attempt(one, TAKEN, found.due_at)
        hook.refresh_from_db()
        assert (hook.failures, hook.last_sent_at) == (0, found.due_at)
        assert Delivery.objects.get().state == DeliveryState.SENT


def test_a_day_of_failures_gives_it_up(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        channel("hook")
        message(MessageKind.FIRING, alert())
        queue.spread(NOON)
        now, attempts = NOON, 0
        while Delivery.objects.get().state == DeliveryState.WAITING:
            for one in due(now):
                attempt(one, REFUSED, now)
                attempts += 1
            now += MINUTE
        found = Delivery.objects.get()
        assert found.state == DeliveryState.FAILED
        assert found.ended_at is not None
        assert queue.GIVE_UP <= found.ended_at - NOON <= queue.GIVE_UP + backoff.LONGEST + MINUTE
        assert 40 < attempts < 200


def test_a_dead_channel_is_tried_by_one_message_and_not_by_all(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        hook = channel("hook")
        for _ in range(20):
            message(MessageKind.FIRING, alert())
        queue.spread(NOON)
        for one in due()[: queue.FAILURES_TO_PAUSE]:
            attempt(one, REFUSED, NOON)
        assert due(NOON) == []
        hook.refresh_from_db()
        assert hook.paused_until is not None
        assert due(hook.paused_until)
        channels.change(hook, address="https://new.example/", **WHO)
        assert len(due(NOON)) == 17


def test_a_message_that_is_never_taken_does_not_hold_up_the_others(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        channel("hook")
        poison, good = message(MessageKind.FIRING, alert()), message(MessageKind.FIRING, alert())
        queue.spread(NOON)
        first, second = due()
        assert (first.message, second.message) == (poison, good)
        attempt(first, REFUSED, NOON)
        (second,) = due()
        attempt(second, TAKEN, NOON)


def test_of_one_alert_a_channel_hears_in_order(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        channel("hook")
        about, other = alert(), alert()
        message(MessageKind.FIRING, about)
        message(MessageKind.FIRING, other)
        queue.spread(NOON)
        (firing, _) = due()
        attempt(firing, REFUSED, NOON)
        message(MessageKind.RESOLVED, about, other)
        queue.spread(NOON)
        assert [one.message.kind for one in due()] == ["firing"]  # of the other one
        later = NOON + MINUTE
        for kinds in (["firing", "firing"], ["resolved"]):
            found = due(later)
            assert [one.message.kind for one in found] == kinds
            for one in found:
                attempt(one, TAKEN, later)


def test_that_it_is_over_is_told_to_those_who_were_told_that_it_began(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        first, second = channel("first"), channel("second", escalations_only=True)
        about = alert()
        message(MessageKind.FIRING, about)
        queue.spread(NOON)
        for one in due():
            attempt(one, TAKEN, NOON)
        message(MessageKind.RESOLVED, about)
        queue.spread(NOON)
        needless = {one.channel: queue.needless(one) for one in due()}
        assert needless == {first: "", second: "This channel was not told that it began."}
        (skipped,) = [one for one in due() if one.channel == second]
        assert queue.claim(skipped, NOON)
        queue.skip(skipped, needless[second], NOON)
        skipped.refresh_from_db()
        assert (skipped.state, skipped.reason) == (DeliveryState.SKIPPED, needless[second])


@pytest.mark.parametrize("kind", [MessageKind.REPEAT, MessageKind.ESCALATION])
@pytest.mark.parametrize("state", [State.ACKNOWLEDGED, State.RESOLVED])
def test_nobody_is_reminded_of_what_somebody_took_or_what_is_over(alpha: Cast, kind: str, state: State) -> None:
    with schema_context(alpha.schema):
        channel("hook")
        about = alert()
        message(kind, about)
        queue.spread(NOON)
        (one,) = due()
        assert queue.needless(one) == ""
        Alert.objects.update(state=state)
        assert queue.needless(one) == "By then it was acknowledged or over."


def test_that_it_began_is_told_even_when_it_is_over_by_then(alpha: Cast) -> None:
    """A mail server that was away for an hour: nobody must miss that something was wrong."""
    with schema_context(alpha.schema):
        channel("hook")
        message(MessageKind.FIRING, alert(state=State.RESOLVED))
        queue.spread(NOON)
        assert queue.needless(due()[0]) == ""


def test_in_quiet_hours_what_is_not_critical_waits(alpha: Cast) -> None:
    """Berlin's noon is 13:00 of UTC's 12:00 in winter."""
    with schema_context(alpha.schema):
        tenant_settings.change(time_zone="Europe/Berlin", **WHO)
        channel("hook", quiet_from=time(12, 30), quiet_until=time(14))
        warning, critical = alert(), alert(Severity.CRITICAL)
        message(MessageKind.FIRING, warning)
        message(MessageKind.FIRING, critical)
        queue.spread(NOON)
        assert [one.message.severity for one in due(NOON)] == ["critical"]
        ended = NOON + timedelta(hours=1)
        held = due(ended)[0]
        assert (held.held, held.due_at, queue.needless(held)) == (True, ended, "")
        Alert.objects.filter(pk=warning.pk).update(state=State.RESOLVED)
        assert queue.needless(held) == "It was over before the quiet hours ended."


@pytest.mark.parametrize(
    ("clock", "ends"),
    [
        ("2026-03-04T21:59", None),
        ("2026-03-04T22:00", "2026-03-05T07:00"),
        ("2026-03-04T23:59", "2026-03-05T07:00"),
        ("2026-03-05T00:00", "2026-03-05T07:00"),
        ("2026-03-05T06:59", "2026-03-05T07:00"),
        ("2026-03-05T07:00", None),
    ],
)
def test_quiet_hours_go_over_midnight(clock: str, ends: str | None) -> None:
    zone = ZoneInfo("Asia/Tokyo")
    now = datetime.fromisoformat(clock).replace(tzinfo=zone)
    expected = datetime.fromisoformat(ends).replace(tzinfo=zone) if ends else None
    assert quiet.ends_at(now, time(22), time(7), zone) == expected
    assert quiet.ends_at(now, None, None, zone) is None
    assert quiet.ends_at(now, time(7), time(7), zone) is None


def test_a_channel_that_is_switched_off_drops_what_waits(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        hook = channel("hook")
        message(MessageKind.FIRING, alert())
        queue.spread(NOON)
        channels.change(hook, enabled=False, **WHO)
        found = Delivery.objects.get()
        assert (found.state, found.reason) == (DeliveryState.SKIPPED, "The channel was switched off.")
        channels.change(hook, enabled=True, **WHO)
        assert due(NOON + timedelta(days=1)) == []


def test_the_wait_grows_to_its_bound_with_full_jitter() -> None:
    widest = [backoff.wait(failures, jitter=1) for failures in range(1, 40)]
    assert widest[:4] == [timedelta(seconds=seconds) for seconds in (15, 30, 60, 120)]
    assert max(widest) == backoff.LONGEST
    assert backoff.wait(9, jitter=0) == backoff.SOONEST
    assert backoff.wait(1, retry_after=600) == timedelta(seconds=600)
    assert len({backoff.wait(8) for _ in range(20)}) > 1
