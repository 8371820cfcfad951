"""The page Compare: machines over one period, a machine over two, and what it answers."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django_tenants.utils import schema_context

from accounts.models import Role
from analysis import store
from collectors import registry
from collectors.models import Collector
from core.batch import Table
from core.catalogue import SYSTEM
from portal import comparing
from portal.comparing import COMPARABLE, MOST_SIDES
from tests import samples
from tests.cast import Cast

DAYS = 14
HOUR = timedelta(hours=1)


def midnight(days_ago: int) -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)


def busy(hour: int, extra: float = 0.0) -> float:
    """A daily rhythm, and a little that is not the same each day."""
    return 20 + 10 * (9 <= hour % 24 < 17) + 0.3 * (hour * 7 % 5) + extra


def put(cast: Cast, machine_id: str, values: list[float], start: datetime) -> None:
    """Two samples an hour."""
    with schema_context(cast.schema):
        collector = Collector.objects.get(machine_id=machine_id)
        moments = samples.minutes(start, 2 * len(values), HOUR / 2)
        each = [value for value in values for _ in range(2)]
        columns: dict[str, list[Any]] = {"timestamp": moments, "cpu_user": each}
        columns |= {name: [0.0] * len(each) for name in ("cpu_nice", "cpu_system", "cpu_irq")}
        rows = store.rows_of(Table(SYSTEM, columns), collector.pk)
        digest = store.digest([("system", rows.body)])
        store.store(store.Upload(collector, digest, digest, [rows], (start - HOUR, moments[-1] + HOUR)))


@pytest.fixture
def pair(alpha: Cast) -> Cast:
    """server1 and server2 with the same rhythm; from a week ago server1 is five points busier."""
    with schema_context(alpha.schema):
        registry.register("server2", "", actor="test", ip=None)
    hours = range(DAYS * 24)
    put(alpha, "server1", [busy(hour, 5.0 if hour >= DAYS * 12 else 0.0) for hour in hours], midnight(DAYS))
    put(alpha, "server2", [busy(hour) for hour in hours], midnight(DAYS))
    return alpha


def ask(cast: Cast, **query: Any) -> str:
    answer = cast.client(Role.VIEWER).get("/compare", {"metrics": "cpu_busy", "zone": "UTC", **query})
    assert answer.status_code == 200, answer.content
    return answer.content.decode()


def headline(text: str) -> str:
    found = re.search(r'<h2 id="s-answer">(.*?)</h2>', text)
    assert found
    return found[1]


def page_data(text: str) -> Any:
    found = re.search(r'<script id="page-data" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_change_is_found_with_its_size(pair: Cast) -> None:
    text = ask(pair, how="change", machines="server1", change=midnight(7).isoformat(), days="7")
    assert headline(text) == "CPU busy is higher by 5 points (+21 %)."
    assert "95 % interval" in text


def test_no_real_change_is_an_answer(pair: Cast) -> None:
    text = ask(pair, how="change", machines="server2", change=midnight(7).isoformat(), days="7")
    assert headline(text).startswith("No real change")


def test_two_periods_by_their_days(pair: Cast) -> None:
    first, second = midnight(14).date(), midnight(7).date()
    text = ask(
        pair, how="periods", machines="server1", start=first, end=first + timedelta(days=6), start2=second,
        end2=second + timedelta(days=6),
    )  # fmt: skip
    assert "is higher by 5 points" in headline(text)


def test_machines_are_held_against_the_first(pair: Cast) -> None:
    text = ask(pair, how="machines", machines=["server1", "server2"], start=midnight(7).date())
    assert headline(text).startswith("server2: CPU busy is lower by 5 points")


def test_what_two_machines_have_in_common_falls_out(alpha: Cast) -> None:
    """Days that differ wildly, and the same two points between the machines on each."""
    with schema_context(alpha.schema):
        registry.register("server2", "", actor="test", ip=None)
    wild = [busy(hour, float(hour // 24 * 13 % 50)) for hour in range(7 * 24)]
    put(alpha, "server1", wild, midnight(7))
    put(alpha, "server2", [value + 2 for value in wild], midnight(7))
    assert "is higher by 2 points" in headline(ask(alpha, how="machines", machines=["server1", "server2"]))


def test_under_four_days_there_is_no_answer(pair: Cast) -> None:
    text = ask(pair, how="machines", machines=["server1", "server2"], start=midnight(3).date())
    assert headline(text).startswith("No answer: it needs four days")


def test_periods_are_drawn_over_one_week_and_machines_over_time(pair: Cast) -> None:
    week = page_data(ask(pair, how="change", machines="server1", change=midnight(7).isoformat()))["charts"]["cpu_busy"]
    assert week["domain"] == [0, 168]
    at = {(row["metric"], row["hour"]): row["value"] for row in week["rows"]}
    assert at["After", 10.5] == pytest.approx(at["Before", 10.5] + 5, abs=1.5)
    time = page_data(ask(pair, how="machines", machines=["server1", "server2"]))["charts"]["cpu_busy"]
    assert {row["metric"] for row in time["rows"]} == {"server1", "server2"}


def test_hours_are_those_of_the_zones_clock(pair: Cast) -> None:
    """10:00 UTC is 05:00 in New York: the busy hours begin earlier there."""
    zone = "America/New_York"
    query = {"how": "change", "machines": "server2", "change": midnight(7).isoformat(), "zone": zone}
    rows = page_data(ask(pair, **query))["charts"]["cpu_busy"]["rows"]
    offset = datetime.now(ZoneInfo(zone)).utcoffset() or timedelta()
    first = 9 + int(offset.total_seconds() // 3600)
    day = [row["value"] for row in rows if row["metric"] == "Before" and 24 <= row["hour"] < 48]
    assert day[first] > day[first - 1] + 5


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"how": "machines", "machines": "server1"}, "Choose two to"),
        ({"how": "machines", "machines": ["server1", "nobody"]}, "nobody is not one of the available choices"),
        ({"how": "change", "machines": "server1"}, "Give the day and time"),
        ({"how": "change", "machines": "server1", "change": "9999-12-31T23:59"}, "happened already"),
        ({"how": "periods", "machines": "server1", "start": "2026-01-01"}, "Give both periods"),
        ({"how": "machines", "machines": ["server1", "server2"], "start": "2001-01-01"}, "days at most"),
        ({"how": "machines", "machines": ["server1", "server2"], "zone": "../etc"}, "no such time zone"),
        ({"how": "other", "machines": "server1"}, "Select a valid choice"),
        ({"how": "machines", "machines": ["server1", "server2"], "end": "0001-01-01"}, "Days lie between"),
        ({"how": "machines", "machines": ["server1", "server2"], "metrics": list(COMPARABLE)[:9]}, "8 at most"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_is_refused_in_words(query: dict[str, Any], words: str, alpha: Cast) -> None:
    with schema_context(alpha.schema):
        registry.register("server2", "", actor="test", ip=None)
    answer = alpha.client(Role.VIEWER).get("/compare", {"zone": "UTC", **query})
    assert answer.status_code == 400
    assert words in answer.content.decode()


def test_without_a_question_it_says_what_to_do(alpha: Cast) -> None:
    text = alpha.client(Role.VIEWER).get("/compare").content.decode()
    assert "Choose machines above" in text


def test_the_queries_do_not_grow_with_metrics_or_days(pair: Cast, django_assert_max_num_queries: Any) -> None:
    """Three a side, and what every page asks."""
    client = pair.client(Role.VIEWER)
    for query in ({"metrics": "cpu_busy"}, {"metrics": list(COMPARABLE)[:8], "start": "2026-01-01"}):
        with django_assert_max_num_queries(16):
            client.get("/compare", {"how": "machines", "machines": ["server1", "server2"], "zone": "UTC", **query})


def test_another_partners_machines_are_unknown(alpha: Cast, beta: Cast) -> None:
    with schema_context(alpha.schema):
        registry.register("of-alpha", "", actor="test", ip=None)
    query = {"how": "machines", "machines": ["server1", "of-alpha"]}
    answer = beta.client(Role.ADMIN).get("/compare", query)
    assert answer.status_code == 400
    assert "of-alpha" not in beta.client(Role.ADMIN).get("/compare").content.decode()


def test_every_measure_says_which_metrics_it_needs() -> None:
    assert comparing.needs(COMPARABLE["cpu_busy"]) == ["cpu_user", "cpu_nice", "cpu_system", "cpu_irq"]
    for measure in COMPARABLE.values():
        assert comparing.needs(measure)
    assert MOST_SIDES >= 2
