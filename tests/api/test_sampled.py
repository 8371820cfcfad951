"""Cores and processes over the API: evenly picked samples, at a cost that does not grow."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import Role
from tests import samples
from tests.cast import MACHINE, Cast

CORES, PROCESSES = "/api/v1/performance/cores", "/api/v1/performance/processes"


def get(cast: Cast, path: str, start: datetime, end: datetime, **query: Any) -> Any:
    asked = {"machine_id": MACHINE, "start": start.isoformat(), "end": end.isoformat(), **query}
    answer = cast.client(Role.VIEWER).get(path, asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def store_cores(cast: Cast, start: datetime, cores: Sequence[list[float] | None]) -> None:
    samples.upload(cast, {"timestamp": samples.minutes(start, len(cores)), "cpu_cores": list(cores)})


def test_a_cell_is_the_mean_of_its_samples(alpha: Cast) -> None:
    start = samples.recent(4).replace(minute=0)
    store_cores(alpha, start, [[float(minute % 4), 50.0] for minute in range(60)])
    found = get(alpha, CORES, start, start + timedelta(hours=1), points=15)
    assert (found["cores"], found["cores_per_row"], found["step_s"], found["samples_per_cell"]) == (2, 1, 240, 4)
    assert found["busy"] == [[1.5, 50.0]] * 15
    assert found["timestamps"][:2] == [int(start.timestamp()) * 1000, int(start.timestamp() + 240) * 1000]


def test_a_gap_has_no_cells(alpha: Cast) -> None:
    start = samples.recent(4).replace(minute=0)
    store_cores(alpha, start, [[10.0]] * 10)
    store_cores(alpha, start + timedelta(minutes=40), [[20.0]] * 20)
    found = get(alpha, CORES, start, start + timedelta(hours=1), points=30)
    assert len(found["timestamps"]) == 15
    assert [row[0] for row in found["busy"]] == [10.0] * 5 + [20.0] * 10


def test_of_many_cores_a_row_shows_the_busiest_of_some(alpha: Cast) -> None:
    start = samples.recent(4).replace(minute=0)
    busy = [1.0] * 200
    busy[5] = 99.0
    store_cores(alpha, start, [busy] * 60)
    found = get(alpha, CORES, start, start + timedelta(hours=1))
    assert (found["cores"], found["cores_per_row"]) == (200, 4)
    assert found["busy"][0] == [1.0, 99.0, *[1.0] * 48]


def test_a_core_that_went_away_leaves_its_row_short(alpha: Cast) -> None:
    start = samples.recent(4).replace(minute=0)
    store_cores(alpha, start, [[10.0]] * 10 + [[10.0, 30.0]] * 10)
    found = get(alpha, CORES, start, start + timedelta(minutes=20), points=10)
    assert found["cores"] == 2
    assert found["busy"] == [[10.0]] * 5 + [[10.0, 30.0]] * 5


def test_without_cores_the_answer_is_empty(alpha: Cast) -> None:
    start = samples.recent(4)
    samples.upload(alpha, {"timestamp": samples.minutes(start, 5), "cpu_user": [1.0] * 5})
    found = get(alpha, CORES, start, start + timedelta(hours=1))
    assert (found["cores"], found["timestamps"]) == (0, [])


def store_processes(cast: Cast, moment: datetime, *rows: tuple[int, str, float]) -> None:
    pids, names, cpus = zip(*rows, strict=True)
    columns = {"timestamp": [moment] * len(rows), "pid": list(pids), "name": list(names), "user": ["root"] * len(rows),
               "cpu": list(cpus), "rss_mb": [12.5] * len(rows)}  # fmt: skip
    samples.upload(cast, columns, dataset="processes")


def test_processes_of_an_instant_come_whole_and_busiest_first(alpha: Cast) -> None:
    start = samples.recent(2)
    store_processes(alpha, start, (1, "init", 0.5), (7, "postgres", 93.0))
    store_processes(alpha, start + timedelta(minutes=30), (9, "<script>", 5.0))
    first, second = get(alpha, PROCESSES, start, start + timedelta(hours=1), points=4)["instants"]
    assert [one["name"] for one in first["processes"]] == ["postgres", "init"]
    assert first["processes"][0] == {"pid": 7, "name": "postgres", "user": "root", "cpu": 93.0, "rss_mb": 12.5}
    assert datetime.fromtimestamp(second["timestamp"] / 1000, UTC) == start + timedelta(minutes=30)


def test_each_step_gives_one_instant(alpha: Cast) -> None:
    start = samples.recent(2)
    for minute in range(6):
        store_processes(alpha, start + timedelta(minutes=minute), (1, str(minute), 1.0))
    found = get(alpha, PROCESSES, start, start + timedelta(minutes=6), points=3)["instants"]
    assert [one["processes"][0]["name"] for one in found] == ["1", "3", "5"]


def test_the_cost_is_the_same_for_an_hour_and_a_year(alpha: Cast, django_assert_max_num_queries: Any) -> None:
    start = samples.recent(3)
    store_cores(alpha, start, [[1.0]] * 60)
    client = alpha.client(Role.VIEWER)
    for span in (timedelta(hours=1), timedelta(days=365)):
        asked = {"machine_id": MACHINE, "start": (start - span).isoformat(), "end": start.isoformat()}
        with django_assert_max_num_queries(9):
            client.get(CORES, asked)
