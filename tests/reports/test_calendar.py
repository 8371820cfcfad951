"""When a schedule is due, across clock changes, month ends and zones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.jobs.calendar import Monthly, Timing, Weekly, just_now, latest, upcoming

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "America/Havana")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_week_is_due_at_its_hour_and_covers_monday_to_sunday_before() -> None:
    """In January Berlin is an hour ahead of UTC."""
    found = latest(Weekly(0, 6), BERLIN, at("2026-01-14T12:00"))
    assert found.due == at("2026-01-12T05:00")
    assert (found.covers, found.start, found.end) == (date(2026, 1, 5), at("2026-01-04T23:00"), at("2026-01-11T23:00"))


def test_a_moment_before_it_is_due_the_one_before_is_the_newest() -> None:
    assert latest(Weekly(0, 6), BERLIN, at("2026-01-12T04:59")).covers == date(2025, 12, 29)
    assert latest(Weekly(0, 6), BERLIN, at("2026-01-12T05:00")).covers == date(2026, 1, 5)
    assert upcoming(Weekly(0, 6), BERLIN, at("2026-01-12T05:00")).due == at("2026-01-19T05:00")


@pytest.mark.parametrize(
    ("now", "due", "covers"),
    [
        ("2026-02-28T12:00", "2026-02-28T06:00", date(2026, 1, 1)),
        ("2028-02-29T12:00", "2028-02-29T06:00", date(2028, 1, 1)),
        ("2026-04-30T05:00", "2026-03-31T06:00", date(2026, 2, 1)),
        ("2027-01-01T00:00", "2026-12-31T06:00", date(2026, 11, 1)),
    ],
)
def test_the_31st_of_a_short_month_is_its_last_day(now: str, due: str, covers: date) -> None:
    found = latest(Monthly(31, 6), ZoneInfo("UTC"), at(now))
    assert (found.due, found.covers) == (at(due), covers)


def test_an_hour_that_the_clock_change_leaves_out_is_due_once_at_the_change() -> None:
    """29 March 2026: 02:00 in Berlin is 03:00."""
    sunday = Weekly(6, 2)
    assert latest(sunday, BERLIN, at("2026-03-29T01:00")).due == at("2026-03-29T01:00")
    assert upcoming(sunday, BERLIN, at("2026-03-29T01:00")).due == at("2026-04-05T00:00")


def test_an_hour_that_the_clock_change_repeats_is_due_the_first_time_only() -> None:
    """25 October 2026: 02:00 in Berlin comes twice, at 00:00 and 01:00 UTC."""
    sunday = Weekly(6, 2)
    assert latest(sunday, BERLIN, at("2026-10-25T01:30")).due == at("2026-10-25T00:00")
    assert upcoming(sunday, BERLIN, at("2026-10-25T00:30")).due == at("2026-11-01T01:00")


def test_a_period_with_a_clock_change_has_its_real_length() -> None:
    spring = latest(Weekly(0, 6), BERLIN, at("2026-03-30T12:00"))
    autumn = latest(Monthly(1, 6), BERLIN, at("2026-11-01T12:00"))
    assert (spring.end - spring.start).total_seconds() == (7 * 24 - 1) * 3600
    assert (autumn.end - autumn.start).total_seconds() == (31 * 24 + 1) * 3600


def test_now_means_the_last_whole_month() -> None:
    found = just_now(Monthly(15, 6), BERLIN, at("2026-05-01T22:30"))
    assert (found.covers, found.due) == (date(2026, 4, 1), at("2026-05-01T22:30"))
    assert just_now(Monthly(15, 6), BERLIN, at("2026-04-30T22:30")).covers == date(2026, 4, 1)  # May in Berlin


TIMINGS = st.one_of(
    st.builds(Weekly, st.integers(0, 6), st.integers(0, 23)), st.builds(Monthly, st.integers(1, 31), st.integers(0, 23))
)


@given(TIMINGS, st.sampled_from(ZONES), st.datetimes(datetime(2011, 1, 1), datetime(2040, 1, 1)))
def test_the_newest_and_the_next_follow_each_other_without_a_hole(timing: Timing, zone: str, moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    newest, ahead = latest(timing, ZoneInfo(zone), now), upcoming(timing, ZoneInfo(zone), now)
    assert newest.due <= now < ahead.due
    assert newest.end == ahead.start
    assert newest.end <= newest.due
    assert latest(timing, ZoneInfo(zone), ahead.due) == ahead
