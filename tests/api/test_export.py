"""GET performance/export and performance/series."""

from __future__ import annotations

import base64
import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django_tenants.utils import schema_context

from accounts.models import AuditEvent, Role
from analysis import rollups
from collectors import registry
from core.batch import decode
from core.catalogue import DATASETS, SYSTEM
from tests import samples
from tests.cast import MACHINE, Cast

URL = "/api/v1/performance/export"
LONG = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
DAY = datetime(2026, 1, 5, tzinfo=UTC)


def get(cast: Cast, **params: Any) -> Any:
    query: dict[str, Any] = {"start_date": "2026-01-01", "end_date": "2026-01-05", **params}
    return cast.client(Role.ANALYST).get(URL, query)


def body(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


def stored(cast: Cast, moments: list[datetime], **columns: list[Any]) -> None:
    samples.upload(cast, {"timestamp": moments, **columns}, window=LONG)


def test_the_seed_example_answers_with_csv(alpha: Cast) -> None:
    stored(alpha, [DAY, DAY + timedelta(minutes=1)], cpu_user=[12.5, None], mem_used_mb=[1024.0, 1.0])
    answer = get(alpha, machine_id=MACHINE, metrics="cpu_user,mem_used_mb")
    text = body(answer).decode()
    assert text == (
        "timestamp,machine_id,cpu_user,mem_used_mb\n"
        "2026-01-05T00:00:00Z,server1,12.5,1024\n"
        "2026-01-05T00:01:00Z,server1,,1\n"
    )
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="perf_server1_system_20260101_20260106.csv"'


def test_without_metrics_every_column_is_there(alpha: Cast) -> None:
    assert body(get(alpha)).decode() == ",".join(SYSTEM.columns) + "\n"


def test_the_last_day_is_included_and_the_next_is_not(alpha: Cast) -> None:
    last = DAY + timedelta(hours=23, minutes=59)
    stored(alpha, [last, DAY + timedelta(days=1)], cpu_user=[1.0, 2.0])
    assert body(get(alpha, metrics="cpu_user")).count(b"\n") == 2


def test_instants_are_half_open(alpha: Cast) -> None:
    stored(alpha, samples.minutes(DAY, 3), cpu_user=[1.0, 2.0, 3.0])
    answer = get(alpha, start_date="2026-01-05T01:00:00+01:00", end_date="2026-01-05T00:02:00Z", metrics="cpu_user")
    assert body(answer).count(b"\n") == 3


def test_groups_choose_their_metrics_in_the_catalogues_order(alpha: Cast) -> None:
    header = body(get(alpha, metrics="load,psi_cpu_some,cpu_user")).decode().strip()
    assert header == (
        "timestamp,machine_id,cpu_user,load_1min,load_5min,load_15min,procs_running,procs_blocked,"
        "context_switches,psi_cpu_some"
    )


def test_machines_are_repeatable_and_come_in_that_order(alpha: Cast) -> None:
    stored(alpha, [DAY], cpu_user=[1.0])
    with schema_context("alpha"):
        registry.register("other", "", actor="test", ip=None)
    text = body(get(alpha, machine_id=["other", MACHINE], metrics="cpu_user")).decode()
    assert text.endswith("Z,server1,1\n")


def test_a_long_range_is_streamed_in_slices(alpha: Cast) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(60)]
    stored(alpha, moments, cpu_user=[float(day) for day in range(60)])
    answer = get(alpha, end_date="2026-03-31", metrics="cpu_user")
    pieces = list(answer.streaming_content)
    assert len(pieces) > 5
    lines = b"".join(pieces).decode().splitlines()[1:]
    assert [float(line.split(",")[-1]) for line in lines] == [float(day) for day in range(60)]


def test_json_is_an_array_of_samples_with_null_for_what_was_not_measured(alpha: Cast) -> None:
    stored(alpha, [DAY], cpu_user=[None], cpu_cores=[[1.5, 2.0]])
    answer = get(alpha, format="json", metrics="cpu_user,cpu_cores")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(body(answer)) == [
        {"timestamp": "2026-01-05T00:00:00Z", "machine_id": MACHINE, "cpu_user": None, "cpu_cores": [1.5, 2.0]}
    ]
    assert json.loads(body(get(alpha, format="json", start_date="2026-01-04", end_date="2026-01-04"))) == []


def test_json_slices_join_to_one_array(alpha: Cast) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=9 * n) for n in range(5)]
    stored(alpha, moments, cpu_user=[1.0] * 5)
    assert len(json.loads(body(get(alpha, format="json", end_date="2026-03-01")))) == 5


def test_formulas_are_quoted_in_csv_and_numbers_never(alpha: Cast) -> None:
    """Trap 40."""
    names = ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "plain", "'=x"]
    window = {"window": LONG, "dataset": "disks"}
    samples.upload(alpha, {"timestamp": [DAY] * 6, "device": names, "util": [0.0] * 6}, **window)  # type: ignore[arg-type]
    data = body(get(alpha, dataset="disks", metrics="util"))
    decoded = decode(DATASETS["disks"], data)
    assert sorted(decoded.table.columns["device"]) == sorted(names)
    for line in data.decode().splitlines()[1:]:
        assert line.split(",")[2].lstrip('"')[0] not in "=+-@"


def awkward(dataset: str, moment: datetime) -> dict[str, list[Any]]:
    """Two samples of every column, with what is hard to carry."""
    declared = DATASETS[dataset]
    columns: dict[str, list[Any]] = {
        "timestamp": samples.minutes(moment, 2),
        **{m.name: [0.1, None] for m in declared.metrics if m.is_number},
    }
    columns["timestamp"][1] += timedelta(milliseconds=250)
    if declared.instance:
        columns[declared.instance] = [7, 8] if declared.instance_dtype == "bigint" else ["=a", 'b"c,d']
    if dataset == "system":
        columns |= {"cpu_cores": [[1.25, 99.9], None], "context_switches": [12345678.0, 1.5e-7]}
    if dataset == "filesystems":
        columns |= {"device": ["/dev/sda1", None], "fstype": ["ext4", "-x"]}
    return columns


@pytest.mark.parametrize("dataset", list(DATASETS))
def test_an_export_can_be_uploaded_again_unchanged(alpha: Cast, beta: Cast, dataset: str) -> None:
    moment = samples.recent()
    samples.upload(alpha, awkward(dataset, moment), dataset=dataset)
    params: dict[str, Any] = {"dataset": dataset, "start_date": moment.date(), "end_date": datetime.now(UTC).date()}
    exported = body(get(alpha, **params))
    field = "file" if dataset == "system" else dataset
    answer = beta.machine_client().post("/api/v1/performance/upload", {field: SimpleUploadedFile("x.csv", exported)})
    assert answer.status_code == 201, answer.content
    assert answer.json()["warnings"] == []
    assert body(get(beta, **params)) == exported


@pytest.mark.parametrize("dataset", list(DATASETS))
def test_parquet_has_the_very_values_that_are_stored(alpha: Cast, dataset: str) -> None:
    declared, columns = DATASETS[dataset], awkward(dataset, DAY)
    samples.upload(alpha, columns, dataset=dataset, window=LONG)
    answer = get(alpha, dataset=dataset, format="parquet")
    assert answer.headers["Content-Type"] == "application/vnd.apache.parquet"
    assert answer.headers["Content-Disposition"].endswith('.parquet"')
    frame = pl.read_parquet(body(answer))
    assert tuple(frame.columns) == declared.columns
    assert frame["timestamp"].dtype == pl.Datetime("us", "UTC")
    assert frame["timestamp"].to_list() == columns["timestamp"]
    assert frame["machine_id"].to_list() == [MACHINE] * 2
    for name in frame.columns[2:]:
        stored_as = pl.Series(columns.get(name, [None, None]), dtype=frame[name].dtype)
        assert frame[name].to_list() == stored_as.to_list(), name
    assert {frame[metric.name].dtype for metric in declared.metrics if metric.is_number} == {pl.Float32()}


def test_parquet_says_what_each_column_is(alpha: Cast) -> None:
    """As Arrow field metadata, which pyarrow and R's arrow show, and as JSON of the whole file."""
    data = body(get(alpha, format="parquet", metrics="mem_used_mb,cpu_user"))
    found = pl.read_parquet_metadata(data)
    columns = json.loads(found["columns"])
    assert columns["mem_used_mb"]["unit"] == "MB"
    assert columns["cpu_user"]["description"] == SYSTEM.metric("cpu_user").sentence
    fields = base64.b64decode(found["ARROW:schema"])
    for metric in (SYSTEM.metric("mem_used_mb"), SYSTEM.metric("cpu_user")):
        assert metric.sentence.encode() in fields
        assert metric.unit.encode() in fields


def test_parquet_without_a_sample_is_a_whole_file_with_its_columns(alpha: Cast) -> None:
    frame = pl.read_parquet(body(get(alpha, format="parquet", dataset="processes")))
    assert frame.shape == (0, len(DATASETS["processes"].columns))


def test_parquet_of_many_slices_keeps_machines_and_instants_in_order(alpha: Cast) -> None:
    with schema_context("alpha"):
        other, _ = registry.register("other", "", actor="test", ip=None)
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(60)]
    stored(alpha, moments, cpu_user=[float(day) for day in range(60)])
    with schema_context("alpha"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO analysis_data (collector_id, timestamp, cpu_user)"
            " SELECT %s, timestamp, cpu_user + 100 FROM analysis_data",
            [other.pk],
        )
    asked = {"end_date": "2026-03-31", "metrics": "cpu_user", "machine_id": ["other", MACHINE]}
    frame = pl.read_parquet(body(get(alpha, format="parquet", **asked)))
    assert frame["cpu_user"].to_list() == [float(day + 100) for day in range(60)] + [float(day) for day in range(60)]
    assert frame["machine_id"].unique(maintain_order=True).to_list() == ["other", MACHINE]


def test_a_reader_that_leaves_ends_the_parquet_writer(alpha: Cast) -> None:
    stored(alpha, [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(60)], cpu_user=[1.0] * 60)
    answer = get(alpha, format="parquet", end_date="2026-03-31")
    next(iter(answer.streaming_content))
    answer.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "parquet"]


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"start_date": ""}, 400, "EXPORT_001"),
        ({"start_date": "yesterday"}, 400, "EXPORT_001"),
        ({"start_date": "2026-02-30"}, 400, "EXPORT_001"),
        ({"start_date": "2026-01-01T00:00:00"}, 400, "EXPORT_001"),
        ({"end_date": "2025-01-01"}, 400, "EXPORT_001"),
        ({"end_date": "9999-12-31"}, 400, "EXPORT_001"),
        ({"machine_id": "nobody"}, 404, "EXPORT_002"),
        ({"machine_id": "x" * 5000}, 404, "EXPORT_002"),
        ({"metrics": "cpu_user,fan"}, 400, "EXPORT_003"),
        ({"dataset": "fans"}, 400, "EXPORT_003"),
        ({"format": "xlsx"}, 400, "EXPORT_003"),
    ],
)
def test_a_bad_question_is_answered_with_its_code(alpha: Cast, params: dict[str, Any], status: int, code: str) -> None:
    answer = get(alpha, **params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_another_tenants_machine_is_unknown_and_its_samples_are_not_there(alpha: Cast, beta: Cast) -> None:
    with schema_context("beta"):
        registry.register("secret-machine", "", actor="test", ip=None)
    stored(beta, [DAY], cpu_user=[66.6])
    assert get(alpha, machine_id="secret-machine").json()["code"] == "EXPORT_002"
    assert b"66.6" not in body(get(alpha))


def test_a_stream_is_read_in_the_tenant_that_asked(alpha: Cast, beta: Cast) -> None:
    """Trap 28: the rows are read after the view returned, when the connection may be another tenant's."""
    stored(alpha, [DAY], cpu_user=[11.0])
    stored(beta, [DAY], cpu_user=[66.0])
    answer = get(alpha, metrics="cpu_user")
    assert beta.client(Role.ADMIN).get("/api/v1/collectors").status_code == 200
    text = body(answer).decode()
    assert ",11\n" in text
    assert "66" not in text.split("\n", 1)[1].replace("server1", "")


def test_an_export_is_audited_with_user_range_and_machines(alpha: Cast) -> None:
    body(get(alpha, machine_id=MACHINE))
    with schema_context("alpha"):
        event = AuditEvent.objects.get(event="export")
    assert event.user == "analyst@alpha.example"
    assert event.detail["machines"] == [MACHINE]
    assert event.detail["start"] == "2026-01-01T00:00:00Z"


def test_series_answers_columns_with_coverage_and_gaps(alpha: Cast) -> None:
    start = samples.recent(2)
    moments = samples.minutes(start, 10) + samples.minutes(start + timedelta(minutes=30), 10)
    samples.upload(alpha, {"timestamp": moments, "cpu_user": [5.0] * 20})
    end = start + timedelta(minutes=40)
    answer = alpha.client(Role.VIEWER).get(
        "/api/v1/performance/series",
        {"machine_id": MACHINE, "metrics": "cpu", "start": start.isoformat(), "end": end.isoformat()},
    )
    found = answer.json()
    assert (found["interval_s"], found["step_s"], found["samples"], found["source"]) == (60.0, None, 20, "raw")
    assert len(found["gaps"]) == 1
    (columns,) = found["series"]
    assert len(columns["timestamps"]) == len(columns["mean"]["cpu_user"]) == 21
    assert "cpu_cores" not in columns["mean"]


def test_series_of_a_time_whose_samples_are_gone_comes_from_roll_ups(alpha: Cast) -> None:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=200)
    stored(alpha, samples.minutes(start, 120), cpu_user=[float(i % 60) for i in range(120)])
    with schema_context("alpha"), connection.cursor() as cursor:
        rollups.mark_stale([rollups.Span(alpha.collector().pk, start, start + timedelta(hours=2))], datetime.now(UTC))
        rollups.refresh(datetime.now(UTC))
        cursor.execute("DELETE FROM analysis_data")
    asked = {"machine_id": MACHINE, "metrics": "cpu_user", "start": (start + timedelta(minutes=10)).isoformat(),
             "end": (start + timedelta(hours=2)).isoformat()}  # fmt: skip
    found = alpha.client(Role.VIEWER).get("/api/v1/performance/series", asked).json()
    assert (found["source"], found["step_s"], found["samples"], found["coverage"]) == ("rollup", 3600.0, 120, 1.0)
    (columns,) = found["series"]
    assert columns["mean"]["cpu_user"] == [29.5, 29.5]
    assert columns["maximum"]["cpu_user"] == [59.0, 59.0]
    assert columns["p95"]["cpu_user"] == pytest.approx([56.05, 56.05])


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"start": "x"}, 400), ({"end": "2020-01-01T00:00:00Z"}, 400), ({"points": "0"}, 400),
        ({"points": "99999"}, 400), ({"dataset": "x"}, 400), ({"metrics": "fan"}, 400), ({"machine_id": "no"}, 404),
    ],
)  # fmt: skip
def test_series_refuses_a_bad_question(alpha: Cast, params: dict[str, str], status: int) -> None:
    good = {"machine_id": MACHINE, "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z"}
    answer = alpha.client(Role.VIEWER).get("/api/v1/performance/series", {**good, **params})
    assert answer.status_code == status
    assert answer.json()["status"] == "error"


def test_no_nan_gets_into_a_table(alpha: Cast) -> None:
    """Trap 36."""
    answer = alpha.machine_client().post(
        "/api/v1/performance/upload",
        {"file": SimpleUploadedFile("x", samples.csv(samples.recent(), [float("nan")]))},
    )
    assert answer.status_code == 400
    with schema_context("alpha"), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM analysis_data WHERE cpu_user = 'NaN'")
        assert cursor.fetchone() == (0,)
