"""analysis.generated: plausible, consistent samples, and the same ones whatever the range."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from django.db import connection
from django_tenants.utils import schema_context

from analysis import generated, generated_filling
from analysis.generated_filling import Span
from analysis.generated_fleet import MACHINES, Machine
from analysis.models import Batch
from collectors import registry
from core.catalogue import DATASETS, Dataset
from tests.cast import Cast

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
each_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.machine_id)


def made(machine: Machine, start: datetime = MONDAY, end: datetime = MONDAY + DAY) -> dict[str, pl.DataFrame]:
    return generated.frames(machine, start, end, MONDAY - timedelta(days=20))


def named(machine_id: str) -> Machine:
    return next(machine for machine in MACHINES if machine.machine_id == machine_id)


def test_there_are_twenty_machines_of_different_names() -> None:
    assert len({machine.machine_id for machine in MACHINES}) == 20


@each_machine
def test_the_cpu_shares_of_a_sample_sum_to_100(machine: Machine) -> None:
    system = made(machine)["system"]
    shares = ("cpu_user", "cpu_nice", "cpu_system", "cpu_irq", "cpu_iowait", "cpu_steal", "cpu_idle")
    total = system.select(pl.sum_horizontal(shares)).to_series()
    assert total.to_numpy() == pytest.approx(100, abs=0.001)


@each_machine
def test_the_mean_of_the_cores_is_the_machines_busy_share(machine: Machine) -> None:
    system = made(machine)["system"]
    assert system["cpu_cores"].list.len().unique().to_list() == [machine.cores]
    busy = 100 - system["cpu_idle"] - system["cpu_iowait"]
    assert system["cpu_cores"].list.mean().to_numpy() == pytest.approx(busy.to_numpy(), abs=0.06)


@each_machine
def test_memory_used_is_total_less_available(machine: Machine) -> None:
    system = made(machine)["system"]
    used = system["mem_total_mb"] - system["mem_available_mb"]
    assert system["mem_used_mb"].to_numpy() == pytest.approx(used.to_numpy(), abs=0.05)
    in_cache = system["mem_free_mb"] + system["mem_buffers_mb"] + system["mem_cached_mb"]
    assert (in_cache <= system["mem_total_mb"]).all()


@each_machine
@pytest.mark.parametrize(
    ("dataset", "total", "part"),
    [("disks", "disk_read_mb", "read_mb"), ("disks", "disk_write_iops", "write_iops"),
     ("disks", "disk_queue_depth", "queue_depth"), ("interfaces", "net_tx_mb", "tx_mb"),
     ("interfaces", "net_rx_errors", "rx_errors")],
)  # fmt: skip
def test_totals_are_the_sums_of_the_devices(machine: Machine, dataset: str, total: str, part: str) -> None:
    frames = made(machine, end=MONDAY + timedelta(hours=3))
    summed = frames[dataset].group_by("timestamp", maintain_order=True).agg(pl.col(part).sum())
    assert summed[part].to_numpy() == pytest.approx(frames["system"][total].to_numpy(), abs=1e-6)


@each_machine
def test_await_is_empty_exactly_when_there_was_no_io(machine: Machine) -> None:
    frames = made(machine)
    system = frames["system"]
    operations = system["disk_read_iops"] + system["disk_write_iops"]
    assert (system["disk_await_ms"].is_null() == (operations == 0)).all()
    disks = frames["disks"]
    assert (disks["read_await_ms"].is_null() == (disks["read_iops"] == 0)).all()


@each_machine
def test_every_value_is_inside_the_range_of_its_metric(machine: Machine) -> None:
    for name, frame in made(machine).items():
        assert frame.columns == [column for column in DATASETS[name].columns if column != "machine_id"]
        for metric in (metric for metric in DATASETS[name].metrics if metric.dtype != "text"):
            column = frame[metric.name]
            values = (column.explode() if metric.dtype == "real[]" else column).drop_nulls()
            assert values.is_between(metric.minimum, metric.maximum).all(), metric.name


@each_machine
def test_an_instant_has_the_same_sample_whatever_the_range(machine: Machine) -> None:
    whole = made(machine)
    noon = MONDAY + timedelta(hours=11, minutes=37)
    joined = [made(machine, MONDAY, noon), made(machine, noon, noon + timedelta(minutes=1)),
              made(machine, noon + timedelta(minutes=1), MONDAY + DAY)]  # fmt: skip
    for name, frame in whole.items():
        pieces = pl.concat([part[name] for part in joined])
        keys = pieces.columns[: len(DATASETS[name].key) - 1]
        assert pieces.sort(keys).equals(frame.sort(keys), null_equal=True), name


@each_machine
def test_midnight_makes_no_step(machine: Machine) -> None:
    window = made(machine, MONDAY + DAY - timedelta(minutes=2), MONDAY + DAY + timedelta(minutes=2))
    used = window["system"]["mem_used_mb"].to_numpy()
    assert np.abs(np.diff(used)).max() < 0.03 * machine.memory_mb


def test_working_days_are_busier_than_sundays_in_an_office() -> None:
    idle_monday, idle_sunday = (
        np.mean(made(named("mail01"), day, day + DAY)["system"]["cpu_idle"].to_numpy())
        for day in (MONDAY, MONDAY - DAY)
    )
    assert 100 - idle_monday > 1.5 * (100 - idle_sunday)


def test_the_worn_disk_gets_slower_from_week_to_week() -> None:
    server = named("file01")
    weeks = [made(server, MONDAY + week * 7 * DAY, MONDAY + week * 7 * DAY + DAY)["disks"] for week in (0, 2)]
    first, later = (week.filter(pl.col("device") == "sdb")["write_await_ms"].median() for week in weeks)
    assert later > 1.2 * first  # type: ignore[operator]


def test_the_branch_office_has_an_outage_of_some_hours() -> None:
    instants = made(named("branch01"), MONDAY, MONDAY + 5 * DAY)["system"]["timestamp"].to_numpy()
    assert 2 * 3600 < np.diff(instants).max() < 6 * 3600


def test_samples_differ_from_machine_to_machine() -> None:
    first, second = (made(named(name))["system"]["cpu_user"] for name in ("web01", "web02"))
    assert not np.allclose(first, second)


def test_missing_is_what_no_stored_span_covers_cut_at_midnight() -> None:
    hour = timedelta(hours=1)
    stored = [Span(MONDAY + 2 * hour, MONDAY + 3 * hour), Span(MONDAY, MONDAY + hour)]
    wanted = Span(MONDAY - hour, MONDAY + 26 * hour)
    assert generated_filling.missing(stored, wanted) == [
        Span(MONDAY - hour, MONDAY), Span(MONDAY + hour, MONDAY + 2 * hour), Span(MONDAY + 3 * hour, MONDAY + DAY),
        Span(MONDAY + DAY, MONDAY + 26 * hour),
    ]  # fmt: skip
    assert generated_filling.missing([wanted], wanted) == []


def test_a_batch_id_says_its_span() -> None:
    span = Span(MONDAY, MONDAY + DAY)
    assert span.batch_id == "generated-20260105T0000-20260106T0000"
    assert Span.of_batch_id(span.batch_id) == span


def test_a_filling_that_was_stopped_goes_on_and_stores_each_sample_once(alpha: Cast) -> None:
    with schema_context(alpha.schema):
        registry.register("web01", "web01", actor="test", ip=None)
        now = MONDAY + timedelta(hours=30, seconds=20)
        pieces = generated_filling.plan(MONDAY, now)
        assert [piece.span.start for piece in pieces] == [MONDAY + DAY, MONDAY]  # newest first
        records = generated_filling.fill(pieces[0], MONDAY)
        rest = generated_filling.plan(MONDAY, now)
        assert [piece.span for piece in rest] == [pieces[1].span]
        records += generated_filling.fill(rest[0], MONDAY)
        assert generated_filling.plan(MONDAY, now) == []
        assert sum(Batch.objects.values_list("records", flat=True)) == records
        assert records == sum(_count(DATASETS[name]) for name in DATASETS)
        next_minute = MONDAY + timedelta(hours=30, minutes=1)
        top_up = generated_filling.plan(MONDAY, now + timedelta(seconds=60))
        assert [piece.span for piece in top_up] == [Span(next_minute, next_minute + generated.INTERVAL)]


def _count(dataset: Dataset) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{dataset.table}"')
        return int(cursor.fetchone()[0])


@each_machine
def test_processes_use_no_more_than_the_machine_is_busy(machine: Machine) -> None:
    frames = made(machine)
    system = frames["system"].select(
        "timestamp", busy=(100 - pl.col("cpu_idle") - pl.col("cpu_iowait")) * machine.cores
    )
    total = frames["processes"].group_by("timestamp").agg(pl.col("cpu").sum(), pl.col("rss_mb").sum())
    joined = total.join(system, on="timestamp").join(
        frames["system"].select("timestamp", "mem_used_mb"), on="timestamp"
    )
    assert joined.height == 288 or machine.outage_every_days
    assert (joined["cpu"] <= joined["busy"] + 1).all()
    assert (joined["rss_mb"] <= joined["mem_used_mb"] + 40).all()
